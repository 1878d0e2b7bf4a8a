//! The commands of the real binary: what they print and how they exit.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

#[test]
fn version_is_told_to_people_and_to_programs() {
    let said = wigwag(&["version"]);
    assert_eq!(code(&said), 0);
    assert!(stdout(&said).starts_with(&format!("wigwag {}", env!("CARGO_PKG_VERSION"))));
    let json: serde_json::Value = serde_json::from_slice(&wigwag(&["version", "--json"]).stdout).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["protocols"][0], "wigwag.1");
    assert!(stdout(&wigwag(&["--version"])).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_shows_examples_and_what_exit_codes_mean() {
    for (args, parts) in [
        (vec!["--help"], vec!["Examples:", "Exit codes:", "--listen <ADDR>", "--trust-proxy", "completions", "78"]),
        (vec!["-h"], vec!["Examples:", "--listen <ADDR>"]),
        (vec!["serve", "--help"], vec!["--set <KEY=VALUE>", "--data <DIR>"]),
        (vec!["config", "print", "--help"], vec!["--effective"]),
        (vec!["conform", "--help"], vec!["Examples:", "--strict", "--slow", "peerjs", "a server in use may be asked"]),
    ] {
        let said = wigwag(&args);
        assert_eq!(code(&said), 0, "{args:?}");
        for part in parts {
            assert!(stdout(&said).contains(part), "{part:?} is missing in {args:?}:\n{}", stdout(&said));
        }
    }
    for command in
        ["serve", "health", "capacity", "conform", "find", "chat", "pipe", "forward", "send", "receive", "doctor"]
            .into_iter()
            .chain(["keygen", "load", "watch", "whoami", "completions", "man"])
    {
        assert!(stdout(&wigwag(&[command, "--help"])).contains("Examples:"), "{command} has no example");
    }
    assert!(!stdout(&wigwag(&["--help"])).contains("metrics"), "commands for the house are hidden");
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    for args in [
        vec!["--nonsense"],
        vec!["fly"],
        vec!["--listen", ":1", "version"],
        vec!["--set", "no-equals-sign"],
        vec!["--tls-cert", "only.pem"],
        vec!["health", "ftp://x"],
        vec!["doctor"],
        vec!["doctor", "ftp://x"],
        vec!["health", "--timeout", "-1", "localhost"],
        vec!["conform"],
        vec!["conform", "ws://localhost"],
        vec!["conform", "ws://localhost", "--dialect", "klingon"],
        vec!["conform", "ftp://localhost", "--dialect", "yjs"],
        vec!["conform", "ws://localhost", "--dialect", "yjs", "--only", "nothing-is-called-so"],
    ] {
        assert_eq!(code(&wigwag(&args)), 2, "{args:?}");
    }
}

#[test]
fn a_wrong_configuration_exits_with_78_and_names_every_mistake() {
    for command in [&["config", "check"][..], &["serve"][..], &[][..]] {
        let mut args = command.to_vec();
        args.extend(["--listen", "nonsense", "--set", "log.format=xml", "--set", "serfer.x=1"]);
        let said = wigwag(&args);
        assert_eq!(code(&said), 78, "{args:?}: {}", stderr(&said));
        for part in
            ["error: option --listen:", "error: option --set log.format:", "there is no key `serfer.x`", "3 mistakes"]
        {
            assert!(stderr(&said).contains(part), "{part:?} is missing in\n{}", stderr(&said));
        }
    }
    let said = wigwag(&["--config", "/nowhere/wigwag.toml"]);
    assert_eq!(code(&said), 78);
    assert!(stderr(&said).contains("cannot read /nowhere/wigwag.toml"));
}

#[test]
fn the_printed_configuration_is_checked_and_found_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wigwag.toml");
    std::fs::write(&file, wigwag(&["config", "print"]).stdout).unwrap();
    let said = wigwag(&["config", "check", "--config", file.to_str().unwrap()]);
    assert_eq!(code(&said), 0, "{}", stderr(&said));
    assert!(stdout(&said).starts_with("The configuration is good: "), "{}", stdout(&said));
    let said = command(&["config", "check"]).env("WIGWAG_CONFIG", "").output().unwrap();
    assert_eq!(stdout(&said), "The configuration is good: no keys are set, the defaults are in force.\n");
}

#[test]
fn what_is_in_force_is_printed_with_who_set_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wigwag.toml");
    std::fs::write(&file, "server.name = 'from-file'\nlimits.watches = 'off'\n").unwrap();
    let said = command(&["config", "print", "--effective", "--listen", ":1", "--set", "admin.token=0123456789abcdef"])
        .env("WIGWAG_CONFIG", &file)
        .env("WIGWAG_SERVER_DRAIN_SECONDS", "3")
        .output()
        .unwrap();
    for line in [
        "listen = [\"[::]:1\"] # command line",
        "name = \"from-file\" # file",
        "drain_seconds = 3 # environment",
        "cors = true # default",
        "watches = 0 # file",
        "# token is set # command line",
    ] {
        assert!(stdout(&said).lines().any(|there| there == line), "{line} is missing in\n{}", stdout(&said));
    }
    assert!(!stdout(&said).contains("0123456789abcdef"));
}

#[test]
fn the_references_are_markdown_pages() {
    for (args, part) in [
        (&["config", "print", "--format", "markdown"][..], "`WIGWAG_SERVER_LISTEN`"),
        (&["metrics"][..], "`wigwag_messages_total`"),
        (&["exit-codes"][..], "| 78 |"),
    ] {
        let said = wigwag(args);
        assert_eq!(code(&said), 0);
        assert!(stdout(&said).starts_with("# ") && stdout(&said).contains(part), "{}", stdout(&said));
    }
}

#[test]
fn conform_lists_what_each_dialect_promises_and_asks_nobody() {
    let said = wigwag(&["conform", "--list"]);
    assert_eq!(code(&said), 0, "{}", stderr(&said));
    for line in [
        "peerjs: PeerJS, as in ws://localhost:9000/",
        "  malformed                    A malformed frame costs only its sender. [only ours]",
    ] {
        assert!(stdout(&said).lines().any(|there| there == line), "{line} is missing in\n{}", stdout(&said));
    }
    let said = wigwag(&["conform", "--list", "--dialect", "yjs", "--json"]);
    let promises: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let promises = promises.as_array().unwrap();
    assert!(promises.len() > 10 && promises.iter().all(|promise| promise["dialect"] == "yjs"));
    assert_eq!(promises[0].get("verdict"), None);
}

#[test]
fn keygen_makes_keys_whose_secret_gives_the_public_key() {
    let json: serde_json::Value = serde_json::from_slice(&wigwag(&["keygen", "--json"]).stdout).unwrap();
    check_pair(json["public"].as_str().unwrap(), json["id"].as_str().unwrap(), json["secret"].as_str().unwrap());
    let again: serde_json::Value = serde_json::from_slice(&wigwag(&["keygen", "--json"]).stdout).unwrap();
    assert_ne!(json["secret"], again["secret"]);
    let text = stdout(&wigwag(&["keygen"]));
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    check_pair(&field("public"), &field("id"), &field("secret"));
}

#[test]
fn keygen_writes_a_secret_that_only_its_owner_may_read_and_never_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let path = file.to_str().unwrap();
    let said = wigwag(&["keygen", "--out", path, "--json"]);
    assert_eq!(code(&said), 0);
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let secret = std::fs::read_to_string(&file).unwrap();
    assert_eq!(json.get("secret"), None, "the secret is in the file and nowhere else");
    check_pair(json["public"].as_str().unwrap(), json["id"].as_str().unwrap(), secret.trim());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let said = wigwag(&["keygen", "--out", path]);
    assert_eq!(code(&said), 74, "{}", stderr(&said));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret, "the first key is still there");
}

#[test]
fn whoami_makes_an_identity_once_and_is_the_same_ever_after() {
    let folder = tempfile::tempdir().unwrap();
    let whoami = || command(&["whoami", "--json"]).env("XDG_DATA_HOME", folder.path()).output().unwrap();
    let first: serde_json::Value = serde_json::from_slice(&whoami().stdout).unwrap();
    assert_eq!(first["new"], true);
    let secret = std::fs::read_to_string(first["file"].as_str().unwrap()).unwrap();
    check_pair(first["public"].as_str().unwrap(), first["id"].as_str().unwrap(), secret.trim());
    let second: serde_json::Value = serde_json::from_slice(&whoami().stdout).unwrap();
    assert_eq!((&second["id"], &second["new"]), (&first["id"], &false.into()));
    let named = wigwag(&["whoami", "--identity", first["file"].as_str().unwrap()]);
    assert!(stdout(&named).contains(first["id"].as_str().unwrap()));
    let rubbish = folder.path().join("rubbish");
    std::fs::write(&rubbish, "no key").unwrap();
    let said = wigwag(&["whoami", "--identity", rubbish.to_str().unwrap()]);
    assert_eq!(code(&said), 74);
    assert!(stderr(&said).contains("wigwag keygen --out FILE"), "{}", stderr(&said));
}

#[test]
fn health_says_by_its_exit_code_how_the_server_is() {
    let well = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nOK\n");
    let said = wigwag(&["health", &well.url]);
    assert_eq!((code(&said), stdout(&said).as_str()), (0, "OK\n"), "{}", stderr(&said));
    assert!(well.request().starts_with("GET /health HTTP/1.1\r\n"));

    let draining = answer_once("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 8\r\n\r\ndraining");
    let said = wigwag(&["health", "--ready", &draining.url]);
    assert_eq!(code(&said), 1);
    assert!(stderr(&said).contains("/ready answered 503 Service Unavailable: draining"), "{}", stderr(&said));
    assert!(draining.request().starts_with("GET /ready HTTP/1.1\r\n"));

    let told = answer_once("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 8\r\n\r\ndraining");
    let said = wigwag(&["health", "--json", &told.url]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&said)).unwrap();
    assert_eq!((code(&said), json), (1, serde_json::json!({"well": false, "status": 503, "answer": "draining"})));

    let named = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(code(&wigwag(&["health", &format!("{}/healthz", named.url)])), 0);
    assert!(named.request().starts_with("GET /healthz HTTP/1.1\r\n"));
}

#[test]
fn health_without_a_server_fails_and_says_so() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let said = wigwag(&["health", &nobody]);
    assert_eq!(code(&said), 1);
    assert!(stderr(&said).contains("nobody listens there"), "{}", stderr(&said));

    // A server that takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let said = wigwag(&["health", "--timeout", "0.2", &silent.local_addr().unwrap().to_string()]);
    assert_eq!(code(&said), 1);
    assert!(stderr(&said).contains("no answer within 0.2 s"), "{}", stderr(&said));
}

#[test]
fn health_without_a_url_asks_where_the_environment_says_the_server_listens() {
    let well = answer_once("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK");
    let port = well.url.rsplit(':').next().unwrap();
    let said = command(&["health"]).env("PORT", port).output().unwrap();
    assert_eq!(code(&said), 0, "{}", stderr(&said));
}

#[test]
#[cfg(unix)]
fn health_asks_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        serve_one(listener.accept().unwrap().0, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK")
    });
    let said = wigwag(&["health", &format!("unix:{}", path.display())]);
    assert_eq!(code(&said), 0, "{}", stderr(&said));
    server.join().unwrap();
}

#[test]
fn health_asks_over_tls_whoever_the_certificate_is_for() {
    let made = rcgen::generate_simple_self_signed(["somebody.example".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let connection = rustls::ServerConnection::new(config.into()).unwrap();
        let stream = rustls::StreamOwned::new(connection, listener.accept().unwrap().0);
        serve_one(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK")
    });
    let said = wigwag(&["health", &url]);
    assert_eq!(code(&said), 0, "{}", stderr(&said));
    server.join().unwrap();
}

#[test]
fn completions_and_manual_pages_are_printed() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&wigwag(&["completions", shell])).contains("wigwag"), "{shell}");
    }
    let page = stdout(&wigwag(&["man"]));
    for part in [".TH wigwag 1", "EXIT STATUS", "ENVIRONMENT", "WIGWAG_CONFIG", "health"] {
        assert!(page.contains(part), "{part:?} is missing in\n{page}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(code(&wigwag(&["man", "--out", folder.path().to_str().unwrap()])), 0);
    assert!(folder.path().join("wigwag-config-check.1").exists());
    assert_eq!(std::fs::read_to_string(folder.path().join("wigwag.1")).unwrap(), page);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command(&["config", "print"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let said = child.wait_with_output().unwrap();
    assert_eq!((code(&said), stderr(&said).as_str()), (0, ""));
}

fn check_pair(public: &str, id: &str, secret: &str) {
    let seed: [u8; 32] = data_encoding::BASE64URL_NOPAD.decode(secret.as_bytes()).unwrap().try_into().unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    let expected = wigwag_wire::PublicKey::Ed25519(key);
    assert_eq!(wigwag_wire::PublicKey::parse(public).unwrap(), expected);
    assert_eq!(id, expected.id().as_str());
}

fn wigwag(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// The binary in an environment of its own.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wigwag"));
    command.args(args).env_clear().env("HOME", Path::new("/tmp")).stdin(Stdio::null());
    command
}

fn code(said: &Output) -> i32 {
    said.status.code().unwrap()
}

fn stdout(said: &Output) -> String {
    String::from_utf8(said.stdout.clone()).unwrap()
}

fn stderr(said: &Output) -> String {
    String::from_utf8(said.stderr.clone()).unwrap()
}

struct OneAnswer {
    url: String,
    server: thread::JoinHandle<String>,
}

impl OneAnswer {
    /// What was asked.
    fn request(self) -> String {
        self.server.join().unwrap()
    }
}

/// A server that gives one answer to one request.
fn answer_once(answer: &'static str) -> OneAnswer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || serve_one(listener.accept().unwrap().0, answer));
    OneAnswer { url, server }
}

fn serve_one(mut stream: impl Read + Write, answer: &str) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    stream.write_all(answer.as_bytes()).unwrap();
    String::from_utf8(request).unwrap()
}
