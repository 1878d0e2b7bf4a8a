//! The layers of the configuration: who wins, and what is said about mistakes.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use wigwag_server::config::{
    Compat, Config, Data, Flag, KEYS, Listen, Loaded, LogFormat, Origin, Problems, Raw, Sources, TrustProxy,
    default_toml, effective_toml, key, load, markdown,
};

#[test]
fn nothing_has_to_be_configured() {
    let loaded = load(&Sources::default()).unwrap();
    assert_eq!(loaded.config.server.listen, ["[::]:8080".parse::<Listen>().unwrap()]);
    assert_eq!(loaded.config.server.name, "localhost");
    assert!(matches!(loaded.config.server.data, Data::Folder(_)));
    assert!(loaded.origins.is_empty() && loaded.warnings.is_empty());
}

#[test]
fn the_printed_default_reads_back_as_the_default() {
    let loaded = from_file(&default_toml()).unwrap();
    assert_eq!(unfilled(loaded.config), Config::default());
    assert_eq!(loaded.origins.len(), KEYS.len(), "every key is in the printed file");
}

#[test]
fn every_key_reads_its_own_default_from_a_file_from_the_environment_and_from_set() {
    for key in KEYS.iter() {
        let (path, default) = (key.path(), key.default());
        assert!(!key.doc.is_empty() && key.doc.ends_with('.'), "{path} has documentation");
        let file = format!("{path} = {default}");
        assert!(from_file(&file).is_ok(), "{path} reads {default}");
        let text = as_text(&default);
        let from_env = from_env(&[(&key.env(), &text)]).unwrap();
        assert_eq!(unfilled(from_env.config), Config::default(), "{path} from the environment");
        let from_flag = load(&flags(&[(&path, &text)])).unwrap();
        assert_eq!(unfilled(from_flag.config), Config::default(), "{path} from --set");
    }
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let file = "[server]\nname = 'file'\ndrain_seconds = 1\nlisten = ':1'";
    let sources = Sources {
        file: Some((PathBuf::from("w.toml"), file.into())),
        env: env(&[("WIGWAG_SERVER_NAME", "env"), ("WIGWAG_SERVER_DRAIN_SECONDS", "2")]),
        flags: flags(&[("server.name", "flag")]).flags,
        compat: None,
    };
    let Loaded { config, origins, .. } = load(&sources).unwrap();
    assert_eq!(config.server.name, "flag");
    assert_eq!(config.server.drain_seconds, 2);
    assert_eq!(config.server.listen, [":1".parse::<Listen>().unwrap()]);
    assert_eq!(origins["server.name"], Origin::Flag);
    assert_eq!(origins["server.drain_seconds"], Origin::Env);
    assert_eq!(origins["server.listen"], Origin::File);
}

#[test]
fn what_another_server_does_by_itself_lies_below_everything() {
    let with = |given: &[(&str, &str)], file: &str| {
        let file = Some((PathBuf::from("w.toml"), file.to_owned()));
        load(&Sources { compat: Some(Compat::PeerJs), env: env(given), file, ..Sources::default() }).unwrap()
    };
    let loaded = with(&[], "");
    let config = &loaded.config;
    assert_eq!(config.server.listen, ["[::]:9000".parse::<Listen>().unwrap()]);
    assert_eq!((&config.server.data, config.peerjs.concurrent_limit), (&Data::Memory, 5_000));
    assert!(config.server.trust_proxy.trusts("172.17.0.1".parse().unwrap()));
    assert!(config.dialects.paths.is_empty() && loaded.origins.is_empty());

    let config = with(&[("PORT", "443"), ("PEERSERVER_PATH", "myapp/")], "peerjs.concurrent_limit = 7").config;
    assert_eq!(config.server.listen, ["[::]:443".parse::<Listen>().unwrap()]);
    assert_eq!(config.dialects.paths[0].to_string(), "peerjs=/myapp");
    assert_eq!(config.peerjs.concurrent_limit, 7);
    let config = with(&[("HOST", "127.0.0.1")], "dialects.paths = 'peerjs=/other'").config;
    assert_eq!(config.server.listen, ["127.0.0.1:9000".parse::<Listen>().unwrap()]);
    assert_eq!(config.dialects.paths[0].to_string(), "peerjs=/other");
}

#[test]
fn a_key_of_peerjs_must_stand_in_an_address() {
    for key in ["", "a/b", "a b", "ü", "a&b"] {
        let problems = load(&flags(&[("peerjs.key", key)])).unwrap_err();
        assert!(problems.to_string().contains("peerjs.key"), "{key:?}: {problems}");
    }
}

#[test]
fn port_host_and_rust_log_stand_in_but_our_own_variables_win() {
    for (given, listen) in [
        (vec![("PORT", "9000")], "[::]:9000"),
        (vec![("HOST", "127.0.0.1")], "127.0.0.1:8080"),
        (vec![("HOST", "::1"), ("PORT", "1")], "[::1]:1"),
        (vec![("HOST", "localhost"), ("PORT", "1")], "localhost:1"),
        (vec![("PORT", "9000"), ("WIGWAG_SERVER_LISTEN", ":7")], "[::]:7"),
        (vec![("PORT", "")], "[::]:8080"),
    ] {
        let loaded = from_env(&given).unwrap();
        assert_eq!(loaded.config.server.listen, [listen.parse::<Listen>().unwrap()], "{given:?}");
    }
    assert_eq!(from_env(&[("RUST_LOG", "debug")]).unwrap().config.log.filter, "debug");
    let both = from_env(&[("RUST_LOG", "debug"), ("WIGWAG_LOG_FILTER", "warn")]).unwrap();
    assert_eq!(both.config.log.filter, "warn");
}

#[test]
fn several_listen_flags_are_one_list() {
    let listen = vec![Raw::Text(":1".into()), Raw::Text("unix:/run/w.sock".into())];
    let flag = Flag { shown: "--listen".into(), key: "server.listen".into(), value: Raw::List(listen) };
    let loaded = load(&Sources { flags: vec![flag], ..Sources::default() }).unwrap();
    assert_eq!(loaded.config.server.listen[1], Listen::Unix("/run/w.sock".into()));
}

#[test]
fn every_mistake_of_a_file_is_reported_with_its_place_and_a_hint() {
    let problems = from_file(concat!(
        "listen = ':1'\n",
        "[server]\n",
        "  lisen = ':1'\n",
        "drain_seconds = -1\n",
        "proxy_protocol = 'yes'\n",
        "trust_proxy = ['10.0.0.0/40']\n",
        "[serve]\n",
        "[log]\n",
        "format = 'xml'\n",
    ))
    .unwrap_err();
    let said: Vec<String> = problems.errors.iter().map(ToString::to_string).collect();
    for expected in [
        "w.toml:1:1: there is no section `listen` (did you mean `server.listen`? It belongs into `[server]`)",
        "w.toml:3:3: there is no key `server.lisen` (did you mean `listen`?)",
        "w.toml:4:17: server.drain_seconds: `-1` is not a whole number, 0 or more",
        "w.toml:5:18: server.proxy_protocol: \"yes\" is not true or false",
        "w.toml:6:15: server.trust_proxy: \"10.0.0.0/40\" is neither a network such as \"10.0.0.0/8\", an address nor \"private\"",
        "w.toml:7:2: there is no section `serve` (did you mean `server`?)",
        "w.toml:9:10: log.format: \"xml\" is not \"text\" or \"json\"",
    ] {
        assert!(said.iter().any(|line| line == expected), "missing {expected:?} in {said:#?}");
    }
    assert_eq!(said.len(), 7, "{said:#?}");
}

#[test]
fn a_file_that_is_not_toml_says_where() {
    let said = from_file("[server]\nname = \n").unwrap_err().to_string();
    assert!(said.starts_with("w.toml:2:"), "{said}");
    assert!(said.contains("not TOML"), "{said}");
}

#[test]
fn a_wrong_variable_and_a_wrong_option_name_themselves() {
    let said = from_env(&[("WIGWAG_SERVER_DRAIN_SECONDS", "soon")]).unwrap_err().to_string();
    let expected =
        "environment WIGWAG_SERVER_DRAIN_SECONDS: server.drain_seconds: \"soon\" is not a whole number, 0 or more";
    assert_eq!(said, expected);
    let said = load(&flags(&[("log.fromat", "json")])).unwrap_err().to_string();
    assert_eq!(said, "option --set log.fromat: there is no key `log.fromat` (did you mean `format`?)");
    let said = load(&flags(&[("drain_seconds", "1")])).unwrap_err().to_string();
    assert!(said.contains("did you mean `server.drain_seconds`?"), "{said}");
}

#[test]
fn an_unknown_variable_of_ours_is_a_warning_and_a_foreign_one_is_nothing() {
    let loaded = from_env(&[
        ("WIGWAG_SERVER_LISTN", ":1"),
        ("WIGWAG_CONFIG", "x"),
        ("WIGWAG_SERVICE_HOST", "10.0.0.1"),
        ("WIGWAG_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let expected =
        "environment WIGWAG_SERVER_LISTN: no key has this name; it is ignored (did you mean `WIGWAG_SERVER_LISTEN`?)";
    assert_eq!(said, [expected]);
}

#[test]
fn a_secret_comes_from_a_file_without_its_newline() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let file = file.to_str().unwrap();
    let config = from_env(&[("WIGWAG_ADMIN_TOKEN_FILE", file), ("WIGWAG_ICE_SECRET_FILE", file)]).unwrap().config;
    assert_eq!(config.admin.token.reveal(), Some("0123456789abcdef"));
    assert_eq!(config.ice.secret.reveal(), Some("0123456789abcdef"));
    let config = from_env(&[("WIGWAG_ICE_CREDENTIAL_FILE", file), ("WIGWAG_ICE_USERNAME", "u")]).unwrap().config;
    assert_eq!(config.ice.credential.reveal(), Some("0123456789abcdef"));

    // The higher layer wins; in one layer there may be only one.
    let mut sources = flags(&[("admin.token", "fedcba9876543210")]);
    sources.env = env(&[("WIGWAG_ADMIN_TOKEN_FILE", file)]);
    assert_eq!(load(&sources).unwrap().config.admin.token.reveal(), Some("fedcba9876543210"));
    let said = load(&flags(&[("admin.token", "fedcba9876543210"), ("admin.token_file", file)])).unwrap_err();
    assert!(said.to_string().contains("both `admin.token` and `admin.token_file` are set"), "{said}");
    let said = from_env(&[("WIGWAG_ADMIN_TOKEN_FILE", "/nowhere/token")]).unwrap_err().to_string();
    assert!(said.contains("cannot read /nowhere/token"), "{said}");
}

#[test]
fn every_secret_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "0123456789abcdef").unwrap();
    for key in KEYS.iter().filter(|key| key.secret) {
        let given = flags(&[
            (&format!("{}_file", key.path()), file.to_str().unwrap()),
            ("ice.username", if key.name == "credential" { "u" } else { "" }),
        ]);
        let loaded = load(&given).unwrap();
        assert_eq!(key.show(&loaded.config), "\"0123456789abcdef\"", "{}", key.path());
    }
}

#[test]
fn a_secret_is_never_shown() {
    let loaded = load(&flags(&[("admin.token", "very-secret-token-1")])).unwrap();
    assert!(!effective_toml(&loaded).contains("very-secret"), "in what is in force");
    assert!(!format!("{loaded:?}").contains("very-secret"), "in debug output");
    assert!(effective_toml(&loaded).contains("# token is set # command line"));
    let said = from_file("admin.token = ['very-secret-token-1']").unwrap_err().to_string();
    assert!(!said.contains("very-secret"), "in an error: {said}");
}

#[test]
fn what_is_in_force_can_be_read_back() {
    let given = flags(&[("ice.username", "a \"quoted\" # name"), ("ice.credential", "c"), ("log.format", "json")]);
    let loaded = load(&given).unwrap();
    let mut again = from_file(&effective_toml(&loaded).replace("# credential is set", "credential = 'c'")).unwrap();
    assert_eq!(again.config, loaded.config);
    assert_eq!(again.config.log.format, LogFormat::Json);
    again.config.log.format = LogFormat::Text;
    assert_ne!(again.config, loaded.config);
}

#[test]
fn settings_that_do_not_fit_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cert = folder.path().join("cert.pem");
    std::fs::write(&cert, "x").unwrap();
    let cert = cert.to_str().unwrap();
    for (given, expected) in [
        (vec![("server.listen", "")], "no place to listen"),
        (vec![("server.listen", ":80,:80")], "stands there twice"),
        (vec![("server.proxy_protocol", "true")], "no proxy is trusted"),
        (vec![("tls.cert", cert)], "a certificate without its key"),
        (vec![("tls.key", cert)], "a key without its certificate"),
        (vec![("tls.cert", cert), ("tls.key", "/nowhere/key.pem")], "cannot read /nowhere/key.pem"),
        (vec![("auth.namespaces", "a,b")], "`default` is not one of `auth.namespaces`"),
        (vec![("ice.stun", "http://x")], "does not begin with `stun:` or `stuns:`"),
        (vec![("ice.turn", "turn:t")], "TURN servers want a credential"),
        (vec![("ice.username", "u")], "go together"),
        (vec![("ice.secret", "s"), ("ice.ttl_seconds", "1")], "less than a minute"),
        (vec![("admin.token", "short")], "too short"),
        (vec![("admin.token", "spaces in the token here")], "cannot stand in a header"),
        (vec![("log.filter", "info,=,")], "is no filter"),
        (vec![("presence.gone_after_ms", "1")], "gone before it is away"),
        (vec![("limits.idle_ms", "1000")], "closed before they are asked"),
        (vec![("limits.queue_bytes", "1000")], "one message may be larger"),
        (vec![("limits.frame_bytes", "much")], "a whole number, 0 or more, or \"off\""),
        (vec![("rooms.linger_seconds", "100000")], "more than `rooms.linger_seconds_max`"),
        (vec![("rooms.capacity", "5000")], "more than `limits.members_per_room`"),
        (vec![("auth.namespaces", "not good")], "\"not good\" is no namespace: it must not contain ' '"),
        (vec![("server.public_url", "ftp://x")], "is not a URL"),
        (vec![("server.name", "two words")], "cannot be a server's name"),
    ] {
        match load(&flags(&given)) {
            Err(problems) => assert!(problems.to_string().contains(expected), "{given:?}: {problems}"),
            Ok(_) => panic!("{given:?} was taken"),
        }
    }
}

#[test]
fn every_limit_can_be_raised_and_switched_off() {
    for (name, default) in Config::default().limits.values() {
        let key = key(&format!("limits.{name}")).unwrap();
        let mut config = Config::default();
        for (raw, expected) in [
            (Raw::Int(77), "77"),
            (Raw::Str("off".into()), "0"),
            (Raw::Text("1_000".into()), "1000"),
            (Raw::Text("off".into()), "0"),
        ] {
            key.set(&mut config, &raw).unwrap();
            assert_eq!(key.show(&config), expected, "{name}");
        }
        assert_eq!(key.default(), default.to_string());
        assert!(config.limits.off().contains(&name));
    }
}

#[test]
fn the_server_is_called_after_its_public_url() {
    for (url, name) in [
        ("https://wig.example.org", "wig.example.org"),
        ("http://wig.example.org:8080/below/", "wig.example.org"),
        ("http://[::1]:8080", "[::1]"),
    ] {
        assert_eq!(load(&flags(&[("server.public_url", url)])).unwrap().config.server.name, name);
    }
}

#[test]
fn trusted_proxies_may_be_networks_addresses_the_word_private_or_everybody() {
    let trust = |text: &str| load(&flags(&[("server.trust_proxy", text)])).unwrap().config.server.trust_proxy;
    assert_eq!(trust("true"), TrustProxy::Everyone);
    assert!(trust("false").is_off() && trust("").is_off());
    let some = trust("10.1.2.3/8, 2001:db8::1");
    for (address, trusted) in [
        ("10.255.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("11.0.0.1", false),
        ("2001:db8::1", true),
        ("2001:db8::2", false),
    ] {
        assert_eq!(some.trusts(address.parse().unwrap()), trusted, "{address}");
    }
    for (address, trusted) in [("127.0.0.1", true), ("192.168.3.4", true), ("fd00::1", true), ("8.8.8.8", false)] {
        assert_eq!(trust("private").trusts(address.parse().unwrap()), trusted, "{address}");
    }
}

#[test]
fn an_origin_pattern_means_what_it_says() {
    let loaded = load(&flags(&[("server.origins", "https://a.example,https://*.b.example,null")])).unwrap();
    let allowed = loaded.config.server.origins;
    for (origin, fine) in [
        ("https://a.example", true),
        ("https://A.example", true),
        ("http://a.example", false),
        ("https://a.example:8443", false),
        ("https://x.b.example", true),
        ("https://x.y.b.example", true),
        ("https://b.example", false),
        ("https://xb.example", false),
        ("https://evil/.b.example", false),
        ("https://evil@x.b.example", false),
        ("https://é.b.example", false),
        ("null", true),
        ("", false),
    ] {
        assert_eq!(allowed.iter().any(|pattern| pattern.matches(origin)), fine, "{origin:?}");
    }
}

#[test]
fn the_reference_names_every_key_and_variable() {
    let page = markdown();
    for key in KEYS.iter() {
        assert!(page.contains(&format!("`{}`<br>`{}`", key.name, key.env())), "{}", key.path());
    }
}

fn from_file(text: &str) -> Result<Loaded, Problems> {
    load(&Sources { file: Some((PathBuf::from("w.toml"), text.into())), ..Sources::default() })
}

fn from_env(given: &[(&str, &str)]) -> Result<Loaded, Problems> {
    load(&Sources { env: env(given), ..Sources::default() })
}

fn env(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn flags(given: &[(&str, &str)]) -> Sources {
    let flag = |(key, value): &(&str, &str)| Flag {
        shown: format!("--set {key}"),
        key: (*key).into(),
        value: Raw::Text((*value).into()),
    };
    Sources { flags: given.iter().map(flag).collect(), ..Sources::default() }
}

/// Undoes what loading fills in from the surroundings.
fn unfilled(mut config: Config) -> Config {
    config.server.name = String::new();
    config.server.data = Data::Platform;
    config
}

/// A TOML value as one would write it into a variable.
fn as_text(toml: &str) -> String {
    toml.trim_matches(['[', ']']).replace(['"', ' '], "")
}
