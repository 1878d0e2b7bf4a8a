//! `--compat`: the command line of another server, so that whoever ran that one changes the program's name and nothing else.
//!
//! Its options may mean something else here (`-c`), so such a command line has a parser of its own. It takes our long options too.

use std::ffi::OsString;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, ValueHint};

use super::args::ServeArgs;
use super::config::variable;
use crate::config::{Compat, Flag, Raw, peerjs_path};

/// Serves PeerJS clients in the place of PeerServer, and everybody else beside them.
#[derive(Parser, Debug)]
#[command(name = "wigwag --compat peerjs", version, max_term_width = 110, after_help = AFTER_HELP)]
struct PeerJsCli {
    #[command(flatten, next_help_heading = "PeerServer's options")]
    peerjs: PeerJsArgs,
    #[command(flatten, next_help_heading = "Wigwag's options, which win")]
    serve: ServeArgs,
}

const AFTER_HELP: &str = "\
Environment: PORT and PEERSERVER_PATH, as PeerServer has them; WIGWAG_COMPAT=peerjs in place of --compat peerjs;
and every variable of Wigwag's own.";

/// The options of PeerServer's command line, by the names that it gives them.
#[derive(Args, Debug)]
struct PeerJsArgs {
    /// How many milliseconds a message waits for an absent peer [default: 5000]
    #[arg(short = 't', long = "expire_timeout", value_name = "MS")]
    expire_timeout: Option<u64>,

    /// How many peers may be here at once [default: 5000]
    #[arg(short = 'c', long = "concurrent_limit", value_name = "PEERS", value_parser = clap::value_parser!(u64).range(1..))]
    concurrent_limit: Option<u64>,

    /// After how many milliseconds of silence a socket is closed [default: 60000]
    #[arg(long = "alive_timeout", value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    alive_timeout: Option<u64>,

    /// The key that clients must give [default: peerjs]
    #[arg(short = 'k', long, value_name = "KEY")]
    key: Option<String>,

    /// The private key for TLS (PEM)
    #[arg(long, value_name = "FILE", requires = "sslcert", value_hint = ValueHint::FilePath)]
    sslkey: Option<String>,

    /// The certificate chain for TLS (PEM)
    #[arg(long, value_name = "FILE", requires = "sslkey", value_hint = ValueHint::FilePath)]
    sslcert: Option<String>,

    /// The address to listen at [default: every address of this machine]
    #[arg(short = 'H', long, value_name = "ADDRESS")]
    host: Option<String>,

    /// The port to listen at [default: 9000] [env: PORT]
    #[arg(short, long)]
    port: Option<u16>,

    /// The path below which clients find the server [default: /] [env: PEERSERVER_PATH]
    #[arg(long)]
    path: Option<String>,

    /// Let anybody list the ids of the peers that are here
    #[arg(long = "allow_discovery", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    allow_discovery: Option<bool>,

    #[arg(long = "no-allow_discovery", hide = true, conflicts_with = "allow_discovery")]
    no_allow_discovery: bool,

    /// Believe proxies in private networks about whom they speak for; so it is unless this says `false`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    proxied: Option<bool>,

    #[arg(long = "no-proxied", hide = true, conflicts_with = "proxied")]
    no_proxied: bool,

    /// Let only pages of these origins in [default: all]
    #[arg(long, value_name = "ORIGIN", num_args = 1.., action = ArgAction::Append)]
    cors: Vec<String>,

    /// Taken and not needed: what expires is dropped on time
    #[arg(long = "cleanup_out_msgs", value_name = "MS", hide = true)]
    _cleanup_out_msgs: Option<u64>,
}

/// A command line that was read as the other server would have.
pub(super) struct Asked {
    /// Our own options.
    pub(super) serve: ServeArgs,
    /// What the other's options set.
    pub(super) options: Vec<Flag>,
}

/// Reads a command line that runs the server in place of another one. `None`: it does not, and is to be read as ours.
pub(super) fn read(args: &[OsString]) -> Option<Result<Asked, clap::Error>> {
    let (_, rest) = args.split_first()?;
    let rest = match rest.first() {
        Some(first) if first == "serve" => &rest[1..],
        // Another command.
        Some(first) if !first.as_encoded_bytes().starts_with(b"-") => return None,
        _ => rest,
    };
    let named = rest.iter().position(|arg| arg == "--compat").map(|at| rest.get(at + 1).map(OsString::as_os_str));
    let joined = rest.iter().find_map(|arg| arg.to_str()?.strip_prefix("--compat=")).map(|name| Some(name.as_ref()));
    let variable = variable("WIGWAG_COMPAT");
    let name = named.or(joined).unwrap_or(variable.as_deref())?;
    match name.to_str()?.parse().ok()? {
        Compat::PeerJs => Some(peerjs(rest)),
    }
}

fn peerjs(args: &[OsString]) -> Result<Asked, clap::Error> {
    // PeerServer's `-c` is not ours.
    let mut command = PeerJsCli::command().mut_arg("config", |config| config.short(None));
    let name = OsString::from("wigwag");
    let matches = command.try_get_matches_from_mut(std::iter::once(&name).chain(args))?;
    let PeerJsCli { peerjs, serve } = PeerJsCli::from_arg_matches(&matches)?;
    let port = variable("PORT").and_then(|port| port.into_string().ok());
    Ok(Asked { serve, options: peerjs.flags(port.as_deref()) })
}

impl PeerJsArgs {
    /// The keys that these options set. `port`: the variable of this name.
    fn flags(&self, port: Option<&str>) -> Vec<Flag> {
        let mut flags = Vec::new();
        let mut flag = |shown: &str, key: &str, value: Raw| {
            flags.push(Flag { shown: shown.into(), key: key.into(), value });
        };
        if self.host.is_some() || self.port.is_some() {
            let shown = if self.port.is_some() { "--port" } else { "--host" };
            let host = self.host.as_deref().unwrap_or("::");
            let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.into() };
            let given = self.port.map(|port| port.to_string());
            let port = given.as_deref().or(port).unwrap_or(Compat::PeerJs.port());
            flag(shown, "server.listen", Raw::Text(format!("{host}:{port}")));
        }
        if let Some(path) = &self.path {
            flag("--path", "dialects.paths", peerjs_path(path));
        }
        for (shown, key, value) in [
            ("--expire_timeout", "peerjs.expire_timeout_ms", self.expire_timeout),
            ("--concurrent_limit", "peerjs.concurrent_limit", self.concurrent_limit),
            ("--alive_timeout", "peerjs.alive_timeout_ms", self.alive_timeout),
        ] {
            if let Some(value) = value {
                flag(shown, key, Raw::Text(value.to_string()));
            }
        }
        for (shown, key, value) in [
            ("--key", "peerjs.key", &self.key),
            ("--sslkey", "tls.key", &self.sslkey),
            ("--sslcert", "tls.cert", &self.sslcert),
        ] {
            if let Some(value) = value {
                flag(shown, key, Raw::Text(value.clone()));
            }
        }
        if let Some(allowed) = self.allow_discovery.or(self.no_allow_discovery.then_some(false)) {
            flag("--allow_discovery", "peerjs.allow_discovery", Raw::Bool(allowed));
        }
        if let Some(proxied) = self.proxied.or(self.no_proxied.then_some(false)) {
            let networks = if proxied { "private" } else { "false" };
            flag("--proxied", "server.trust_proxy", Raw::Text(networks.into()));
        }
        // A star lets all in, as no list does.
        if !self.cors.is_empty() && !self.cors.iter().any(|origin| origin == "*") {
            let origins = self.cors.iter().cloned().map(Raw::Text).collect();
            flag("--cors", "server.origins", Raw::List(origins));
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn asked(line: &str) -> Option<Result<Asked, clap::Error>> {
        read(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn options(line: &str) -> Vec<(String, Raw)> {
        let asked =
            asked(&format!("wigwag serve --compat peerjs {line}")).unwrap().unwrap_or_else(|why| panic!("{why}"));
        asked.options.into_iter().map(|flag| (flag.key, flag.value)).collect()
    }

    fn text(key: &str, value: &str) -> (String, Raw) {
        (key.into(), Raw::Text(value.into()))
    }

    #[test]
    fn each_option_of_peerserver_sets_a_key() {
        for (line, key, value) in [
            ("--port 9001", "server.listen", "[::]:9001"),
            ("-p 9001", "server.listen", "[::]:9001"),
            ("-p9001 -H 127.0.0.1", "server.listen", "127.0.0.1:9001"),
            ("--host ::1 --port=1", "server.listen", "[::1]:1"),
            ("--host localhost", "server.listen", "localhost:9000"),
            ("--expire_timeout 7000", "peerjs.expire_timeout_ms", "7000"),
            ("-t 7000", "peerjs.expire_timeout_ms", "7000"),
            ("--concurrent_limit=10", "peerjs.concurrent_limit", "10"),
            ("-c 10", "peerjs.concurrent_limit", "10"),
            ("--alive_timeout 90000", "peerjs.alive_timeout_ms", "90000"),
            ("-k secret", "peerjs.key", "secret"),
            ("--key secret", "peerjs.key", "secret"),
            ("--proxied", "server.trust_proxy", "private"),
            ("--proxied true", "server.trust_proxy", "private"),
            ("--proxied=false", "server.trust_proxy", "false"),
            ("--no-proxied", "server.trust_proxy", "false"),
        ] {
            assert_eq!(options(line), [text(key, value)], "{line}");
        }
        let tls = options("--sslcert c.pem --sslkey k.pem");
        assert_eq!(tls, [text("tls.key", "k.pem"), text("tls.cert", "c.pem")]);
        assert!(options("--cleanup_out_msgs 1000").is_empty());
    }

    #[test]
    fn switches_are_written_in_every_way_that_peerserver_takes() {
        let discovery = |allowed| vec![("peerjs.allow_discovery".to_owned(), Raw::Bool(allowed))];
        for line in ["--allow_discovery", "--allow_discovery true", "--allow_discovery=true"] {
            assert_eq!(options(line), discovery(true), "{line}");
        }
        for line in ["--allow_discovery false", "--allow_discovery=false", "--no-allow_discovery"] {
            assert_eq!(options(line), discovery(false), "{line}");
        }
        assert_eq!(options("--allow_discovery -p 1").len(), 2);
    }

    #[test]
    fn a_path_is_taken_with_or_without_its_slashes_and_lists_in_either_way() {
        for line in ["--path /myapp", "--path myapp", "--path=/myapp"] {
            assert_eq!(options(line), [("dialects.paths".into(), Raw::List(vec![Raw::Text("peerjs=/myapp".into())]))]);
        }
        let origins = Raw::List(vec![Raw::Text("https://a.example".into()), Raw::Text("https://b.example".into())]);
        for line in ["--cors https://a.example https://b.example", "--cors https://a.example --cors https://b.example"]
        {
            assert_eq!(options(line), [("server.origins".into(), origins.clone())], "{line}");
        }
        assert!(options("--cors *").is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_reason() {
        for (line, part) in [
            ("--concurrent_limit 0", "0 is not in 1.."),
            ("--alive_timeout 0", "0 is not in 1.."),
            ("--port nine", "invalid value 'nine'"),
            ("--sslkey k.pem", "--sslcert"),
            ("--nonsense", "unexpected argument '--nonsense'"),
        ] {
            let why = asked(&format!("wigwag --compat peerjs {line}")).unwrap().err().unwrap().to_string();
            assert!(why.contains(part), "{line}: {why}");
        }
    }

    #[test]
    fn only_the_server_stands_in_and_only_where_it_is_asked_to() {
        assert!(asked("wigwag serve --port 9000").is_none());
        assert!(asked("wigwag").is_none());
        assert!(asked("wigwag health --compat peerjs").is_none());
        assert!(asked("wigwag --compat icq").is_none());
        for line in ["wigwag --compat=peerjs", "wigwag --port 1 --compat peerjs", "wigwag serve -p 1 --compat=peerjs"] {
            assert!(asked(line).unwrap().is_ok(), "{line}");
        }
        let mixed =
            asked("wigwag --compat peerjs -c 3 --config w.toml --log debug --set limits.sockets=7").unwrap().unwrap();
        assert_eq!((mixed.options.len(), mixed.serve.flags().len()), (1, 2));
        assert_eq!(mixed.serve.config.unwrap().to_str(), Some("w.toml"));
    }
}
