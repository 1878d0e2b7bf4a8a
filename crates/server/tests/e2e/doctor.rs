//! `wigwag doctor` finds what is wrong, says what to do, and finds nothing where nothing is.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::support::server::{BINARY, clean};
use crate::support::{Turn, Wigwag, skip};

#[tokio::test]
async fn nothing_is_wrong_with_a_server_that_runs() {
    let server = quiet().start().await;
    let told = doctor(&server.address.to_string(), &[], None).await;
    assert_eq!(told.code, 0, "{}", told.json);
    for check in ["tcp", "websocket", "clock", "name", "auth", "round trip"] {
        assert_eq!(told.verdict(check), "good", "{check}: {}", told.json);
    }
    for check in ["stun", "turn"] {
        assert_eq!(told.verdict(check), "poor", "there is none: {}", told.json);
        assert!(told.finding(check)["remedy"].is_string());
    }
}

#[tokio::test]
async fn people_read_sentences_without_colours_where_no_terminal_is() {
    let server = quiet().start().await;
    let said = run(&format!("ws://{}", server.address), &[], None).await;
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(text.starts_with(&format!("ws://{}/v1\n\n", server.address)), "{text}");
    assert!(text.contains("\nauth        good     A key that proves itself is let in."), "{text}");
    assert!(!text.contains('\x1b') && said.stderr.is_empty(), "{said:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_once_and_the_rest_is_skipped() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = doctor(&free.to_string(), &[], None).await;
    assert_eq!(told.code, 1);
    assert_eq!(told.verdict("tcp"), "bad");
    assert!(told.finding("tcp")["remedy"].as_str().unwrap().contains("start the server"), "{}", told.json);
    assert_eq!(told.verdict("turn"), "skipped");
}

#[tokio::test]
async fn a_proxy_that_passes_no_websockets_on_is_recognised() {
    let at = one_answer("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
    let told = doctor(&at, &[], None).await;
    assert_eq!((told.code, told.verdict("websocket")), (1, "bad"));
    assert!(told.finding("websocket")["remedy"].as_str().unwrap().contains("the proxy looks for it"), "{}", told.json);
    let at = one_answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let told = doctor(&at, &[], None).await;
    assert!(
        told.finding("websocket")["remedy"].as_str().unwrap().contains("does not pass WebSockets"),
        "{}",
        told.json
    );
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_and_what_to_do() {
    let server = quiet().set("auth.namespaces", "chess").set("auth.default_namespace", "chess").start().await;
    let url = server.address.to_string();
    let told = doctor(&url, &["--namespace", "draughts"], None).await;
    assert_eq!((told.code, told.verdict("auth")), (1, "bad"));
    assert!(told.finding("auth")["seen"].as_str().unwrap().contains("4206 namespace_refused"), "{}", told.json);
    assert_eq!(doctor(&url, &["--namespace", "chess"], None).await.verdict("auth"), "good");
}

#[tokio::test]
async fn a_server_that_calls_itself_something_else_is_found_out() {
    let server = quiet().set("server.public_url", "https://elsewhere.example").start().await;
    let told = doctor(&server.address.to_string(), &[], None).await;
    assert_eq!((told.code, told.verdict("name")), (1, "bad"), "{}", told.json);
}

#[tokio::test]
async fn certificates_are_judged_as_browsers_judge_them() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority(folder.path());
    for (name, host, days, verdict, part) in [
        ("localhost", "localhost", 200, "good", "is good, for 199 days"),
        ("localhost", "localhost", 5, "poor", "for 4 more days only"),
        ("localhost", "localhost", -5, "bad", "renew it"),
        ("elsewhere.example", "localhost", 200, "bad", "for another name"),
    ] {
        write_signed(folder.path(), &authority, name, days);
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let server = quiet().set("tls.cert", cert.display()).set("tls.key", key.display()).spawn().await;
        let told = doctor(&format!("https://{host}:{}", server.address.port()), &[], Some(folder.path())).await;
        assert_eq!(told.verdict("tls"), verdict, "{name} {days}: {}", told.json);
        assert!(told.finding("tls").to_string().contains(part), "{part}: {}", told.json);
        assert_eq!(told.verdict("auth"), "good", "whatever the certificate is worth, the rest is looked at");
    }
}

#[tokio::test]
async fn a_turn_server_is_tried_with_the_credentials_that_peers_get() {
    let Some(turn) = Turn::start("the shared secret").await else {
        return skip("a_turn_server_is_tried_with_the_credentials_that_peers_get", "coturn is not installed");
    };
    let urls = format!("turn:127.0.0.1:{0},turn:127.0.0.1:{0}?transport=tcp", turn.port);
    for (secret, verdict) in [("the shared secret", "good"), ("another secret", "bad")] {
        let server = Wigwag::new()
            .set("ice.stun", format_args!("stun:127.0.0.1:{}", turn.port))
            .set("ice.turn", &urls)
            .set("ice.secret", secret)
            .start()
            .await;
        let told = doctor(&server.address.to_string(), &[], None).await;
        let turns = told.json["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == "turn");
        let verdicts: Vec<_> = turns.map(|finding| finding["verdict"].as_str().unwrap()).collect();
        assert_eq!(verdicts, [verdict; 2], "{}", told.json);
        assert_eq!((told.verdict("stun"), told.verdict("nat")), ("good", "good"), "{}", told.json);
        assert_eq!(told.code, i32::from(verdict == "bad"));
    }
}

/// A server that names nobody outside this machine.
fn quiet() -> Wigwag {
    Wigwag::new().set("ice.stun", "")
}

/// What the doctor told a program.
struct Told {
    code: i32,
    json: Value,
}

impl Told {
    fn finding(&self, check: &str) -> &Value {
        let findings = self.json["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check}: {}", self.json))
    }

    fn verdict(&self, check: &str) -> &str {
        self.finding(check)["verdict"].as_str().unwrap()
    }
}

async fn doctor(url: &str, args: &[&str], trusts: Option<&Path>) -> Told {
    let args: Vec<&str> = args.iter().chain(&["--json"]).copied().collect();
    let said = run(url, &args, trusts).await;
    let json = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    Told { code: said.status.code().unwrap(), json }
}

/// Runs it; `trusts` is a folder with the certificate of an authority.
async fn run(url: &str, args: &[&str], trusts: Option<&Path>) -> Output {
    let mut command = Command::new(BINARY);
    clean(&mut command);
    command.arg("doctor").arg(url).args(args).stdin(Stdio::null());
    if let Some(folder) = trusts {
        command.env("SSL_CERT_FILE", folder.join("ca.pem"));
    }
    spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A server that answers everything with these bytes.
async fn one_answer(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut buffer).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    at.to_string()
}

fn authority(folder: &Path) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    authority
}

/// A certificate for this name that has been good for ten days and is for so many more.
fn write_signed(folder: &Path, authority: &CertifiedIssuer<'static, KeyPair>, name: &str, days: i64) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    let today = std::time::SystemTime::now();
    let day = |days: i64| {
        let seconds = std::time::Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60);
        if days < 0 { today - seconds } else { today + seconds }
    };
    params.not_before = day(-10).into();
    params.not_after = day(days).into();
    let signed = params.signed_by(&key, authority).unwrap();
    std::fs::write(folder.join("cert.pem"), signed.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}
