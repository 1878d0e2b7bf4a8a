//! What no single key can tell: settings that do not fit each other, files that are not there.

use super::keys::Config;
use super::problem::{Place, Problem, Problems};
use super::types::Listen;

/// Fewer characters than this can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// Looks at a configuration as a whole. `place` says where a key was set.
pub(super) fn check(config: &Config, place: &dyn Fn(&str) -> Place, problems: &mut Problems) {
    let mut error = |key: &str, what: &str, hint: &str| {
        problems.errors.push(Problem::new(place(key), format!("{key}: {what}")).hint(hint));
    };

    let server = &config.server;
    if server.listen.is_empty() {
        error("server.listen", "there is no place to listen at", "name at least one");
    }
    for (i, listen) in server.listen.iter().enumerate() {
        let fixed = !matches!(listen, Listen::Address(address) if address.port() == 0);
        if fixed && server.listen[..i].contains(listen) {
            error("server.listen", &format!("`{listen}` stands there twice"), "keep one");
        }
    }
    if server.name.chars().any(|c| c.is_whitespace() || c.is_control()) || server.name.len() > 253 {
        error("server.name", "this cannot be a server's name", "use a host name");
    }
    if server.proxy_protocol && server.trust_proxy.is_off() {
        error(
            "server.proxy_protocol",
            "no proxy is trusted to send its header",
            "set `server.trust_proxy` to the proxy's network",
        );
    }

    let dialects = &config.dialects;
    for (i, pinned) in dialects.listen.iter().enumerate() {
        let port_is_free = matches!(pinned.listen, Listen::Address(address) if address.port() == 0);
        let twice = dialects.listen[..i].iter().any(|other| other.listen == pinned.listen);
        if !port_is_free && (twice || server.listen.contains(&pinned.listen)) {
            let what = format!("`{}` is listened at already", pinned.listen);
            error("dialects.listen", &what, "give each dialect a place of its own");
        }
    }
    for (i, given) in dialects.paths.iter().enumerate() {
        if let Some(other) = dialects.paths[..i].iter().find(|other| other.path == given.path) {
            let what = format!("`{}` and `{}` are the same path", other, given);
            error("dialects.paths", &what, "give each dialect a path of its own");
        }
        if given.path == "/v1" || given.path.starts_with("/v1/") {
            error("dialects.paths", "`/v1` is the native protocol's", "choose another path");
        }
    }
    for (key, named) in [
        ("dialects.paths", dialects.paths.iter().map(|given| given.dialect).collect::<Vec<_>>()),
        ("dialects.listen", dialects.listen.iter().map(|pinned| pinned.dialect).collect()),
        ("dialects.root", Vec::from_iter(dialects.root.one())),
    ] {
        for off in dialects.off.iter().filter(|off| named.contains(&off.0)) {
            error(key, &format!("`{off}` stands in `dialects.off`"), "take it out of the one or the other");
        }
    }

    let peerjs = &config.peerjs;
    if peerjs.key.is_empty() || !peerjs.key.bytes().all(|b| b.is_ascii_graphic() && !b"/?#&%".contains(&b)) {
        error("peerjs.key", "this cannot stand in an address", "use letters, digits and hyphens");
    }

    let tls = &config.tls;
    match (tls.cert.as_os_str().is_empty(), tls.key.as_os_str().is_empty()) {
        (false, true) => error("tls.cert", "a certificate without its key", "set `tls.key` too"),
        (true, false) => error("tls.key", "a key without its certificate", "set `tls.cert` too"),
        _ => {}
    }
    for (key, file) in [("tls.cert", &tls.cert), ("tls.key", &tls.key)] {
        if !file.as_os_str().is_empty()
            && let Err(why) = std::fs::File::open(file)
        {
            error(key, &format!("cannot read {}: {why}", file.display()), "check the path and who may read it");
        }
    }

    let auth = &config.auth;
    if !auth.namespaces.is_empty() && !auth.namespaces.contains(&auth.default_namespace) {
        error(
            "auth.default_namespace",
            &format!("`{}` is not one of `auth.namespaces`", auth.default_namespace),
            "add it to the list or choose one of the list",
        );
    }

    let ice = &config.ice;
    for (key, urls, schemes) in
        [("ice.stun", &ice.stun, ["stun:", "stuns:"]), ("ice.turn", &ice.turn, ["turn:", "turns:"])]
    {
        for url in urls {
            if !schemes.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
                error(
                    key,
                    &format!("{url:?} does not begin with `{}` or `{}`", schemes[0], schemes[1]),
                    "write it like `stun:host:3478`",
                );
            }
        }
    }
    if ice.username.is_empty() == ice.credential.is_set() {
        error("ice.username", "a user name and a credential go together", "set both or neither");
    }
    if ice.secret.is_set() && ice.credential.is_set() {
        error("ice.secret", "there is a fixed credential and a shared secret", "keep one of them");
    }
    if !ice.turn.is_empty() && !ice.secret.is_set() && !ice.credential.is_set() {
        error("ice.turn", "TURN servers want a credential", "set `ice.secret`, or `ice.username` and `ice.credential`");
    }
    if ice.secret.is_set() && ice.ttl_seconds < 60 {
        error("ice.ttl_seconds", "a password that lasts less than a minute is of no use", "give it an hour or more");
    }

    if let Some(token) = config.admin.token.reveal() {
        if token.chars().count() < TOKEN_CHARS_MIN {
            error(
                "admin.token",
                "the token is too short to keep anybody out",
                "use 16 characters or more, chosen at random",
            );
        } else if !token.bytes().all(|b| b.is_ascii_graphic()) {
            error("admin.token", "the token cannot stand in a header", "use visible ASCII without spaces");
        }
    }

    if let Err(why) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        let what = format!("{:?} is no filter: {why}", config.log.filter);
        error("log.filter", &what, "try `info`");
    }

    if config.presence.gone_after_ms < config.presence.away_after_ms {
        error(
            "presence.gone_after_ms",
            "a peer would be gone before it is away",
            "make it larger than `presence.away_after_ms`",
        );
    }

    let limits = &config.limits;
    if limits.idle_ms != 0 && limits.ping_ms >= limits.idle_ms {
        error(
            "limits.ping_ms",
            "silent peers would be closed before they are asked",
            "make it smaller than `limits.idle_ms`",
        );
    }
    if limits.queue_bytes != 0 && limits.queue_bytes < limits.frame_bytes {
        error(
            "limits.queue_bytes",
            "one message may be larger than all that may wait for a peer",
            "make it larger than `limits.frame_bytes`",
        );
    }

    let rooms = &config.rooms;
    if rooms.linger_seconds > rooms.linger_seconds_max {
        error("rooms.linger_seconds", "it is more than `rooms.linger_seconds_max`", "lower the one or raise the other");
    }
    if limits.members_per_room != 0 && rooms.capacity > limits.members_per_room {
        error("rooms.capacity", "it is more than `limits.members_per_room`", "lower the one or raise the other");
    }
}
