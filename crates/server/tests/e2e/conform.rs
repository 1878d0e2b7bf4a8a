//! The running server keeps what the transcripts of the dialects promise, and `wigwag conform` says so of any server.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use wigwag_conform::live::{Base, Dial, Line, Plan, Verdict, tcp};
use wigwag_conform::transcript::Settings;
use wigwag_conform::{DIALECTS, Dialect, Script, scripts};

use super::doors::write_cert;
use super::support::server::{BINARY, clean};
use super::support::{DEADLINE, Server, Wigwag};

#[tokio::test(flavor = "multi_thread")]
async fn yjs_is_spoken_as_promised() {
    speaks("yjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peerjs_is_spoken_as_promised() {
    speaks("peerjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tracker_keeps_its_promises() {
    speaks("tracker").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matchbox_is_spoken_as_promised() {
    speaks("matchbox").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trystero_is_spoken_as_promised() {
    speaks("trystero").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manamesh_is_spoken_as_promised() {
    speaks("manamesh").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchparty_is_spoken_as_promised() {
    speaks("watchparty").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volli_is_spoken_as_promised() {
    speaks("volli").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tom_is_spoken_as_promised() {
    speaks("tom").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_tells_the_dialect_where_the_path_does_not() {
    let server = Wigwag::new().start().await;
    for (dialect, names) in [
        ("yjs", &["publish", "binary"][..]),
        ("tracker", &["offer", "binary"][..]),
        ("trystero", &["publish", "bad_frames"][..]),
        ("volli", &["call", "not_json_at_first", "unknown_type_at_first", "missing_fields_at_first"][..]),
        ("manamesh", &["targeted", "binary"][..]),
        ("tom", &["signal", "not_json_at_first", "missing_at_first"][..]),
    ] {
        let scripts = scripts(dialect).into_iter().filter(|script| names.contains(&script.name)).collect();
        assert_kept(server.address, "/", scripts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_peerservers_place_it_keeps_what_peerserver_promises() {
    let mut wigwag = Wigwag::new().alone().arg("serve").arg("--compat").arg("peerjs");
    for arg in ["--port", "0", "--host", "127.0.0.1", "--path", "/myapp"] {
        wigwag = wigwag.arg(arg);
    }
    let server = wigwag.spawn().await;
    assert_kept(server.address, "/myapp", plain("peerjs")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialect_with_a_port_of_its_own_is_spoken_there_at_every_path() {
    let ports = "yjs=127.0.0.1:0,matchbox=127.0.0.1:0";
    let server = Wigwag::new().set("dialects.listen", ports).start().await;
    for dialect in ["yjs", "matchbox"] {
        assert_kept(server.pinned(dialect).await, "/", plain(dialect)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_takes_ends_after_five_seconds_by_the_real_clock() {
    let server = Wigwag::new().start().await;
    let scripts = scripts("peerjs").into_iter().filter(|script| script.name == "expire").collect();
    assert_kept(server.address, "/", scripts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_may_ask_for_everything_twice_at_once_within_the_default_limits() {
    // Readiness is asked for without the proxy's line, so the log has to do.
    let server =
        Wigwag::new().set("server.trust_proxy", "127.0.0.0/8").set("server.proxy_protocol", true).spawn().await;
    let at = server.address;
    let dial: Dial = Arc::new(move || {
        Box::pin(async move {
            let mut line = TcpStream::connect(at).await?;
            line.set_nodelay(true)?;
            line.write_all(b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n").await?;
            Ok(Box::new(line) as Box<dyn Line>)
        })
    });
    let ask = |dialect: &Dialect| assert_kept_by(dial.clone(), at, dialect.own_path, plain(dialect.name));
    join_all(DIALECTS.iter().chain(&DIALECTS).map(ask)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conform_tells_a_person_what_is_kept_and_ends_well() {
    let server = Wigwag::new().start().await;
    let said = conform(&format!("ws://{}", server.address), &["--dialect", "yjs"]).await;
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(text.starts_with(&format!("ws://{}/yjs as y-webrtc promises it\n", server.address)), "{text}");
    assert!(text.contains("kept         A ping is answered with a pong that has no other field.\n"), "{text}");
    assert!(text.contains(" kept, 0 broken, "), "{text}");
    assert!(!text.contains('\x1b'), "colours are for terminals");
    assert!(said.stderr.is_empty(), "progress is for terminals");
}

#[tokio::test(flavor = "multi_thread")]
async fn conform_tells_a_program_what_is_broken_where_and_how() {
    let server = Wigwag::new().set("dialects.root", "trystero").set("dialects.off", "yjs").start().await;
    let url = format!("http://{}/elsewhere", server.address);
    let said = conform(&url, &["-d", "yjs", "--json", "--timeout", "0.5", "--only", "pi"]).await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let told: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&told["kept"], &told["broken"]), (&0.into(), &1.into()), "{told}");
    let promise = &told["promises"][0];
    assert_eq!((&promise["name"], &promise["verdict"]), (&"ping".into(), &"broken".into()), "{told}");
    assert_eq!((&promise["step"], &promise["came"]), (&3.into(), &"nothing came".into()), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conform_asks_a_foreign_server_only_for_what_its_kind_promises() {
    let server = Wigwag::new().start().await;
    let front = front_that_hides_what_it_is(&server).await;
    let url = format!("ws://{front}/yjs");
    let said = conform(&url, &["-d", "yjs", "--json"]).await;
    let told: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said.status.code(), Some(0), "{told}");
    for promise in told["promises"].as_array().unwrap() {
        let asked = promise["ours"] == false && promise["slow"] == false;
        let expected = if asked { "kept" } else { "not checked" };
        assert_eq!(promise["verdict"], expected, "{promise}");
    }
    let strict = conform(&url, &["-d", "yjs", "--json", "--strict", "--only", "spelling"]).await;
    let told: Value = serde_json::from_slice(&strict.stdout).unwrap();
    assert_eq!(told["promises"][0]["verdict"], "kept", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conform_asks_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    write_cert(folder.path());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let server = Wigwag::new().set("tls.cert", cert.display()).set("tls.key", key.display()).spawn().await;
    for url in [format!("wss://{}", server.address), format!("https://localhost:{}/yjs", server.address.port())] {
        let said = conform(&url, &["-d", "yjs", "--only", "p", "--only", "okay"]).await;
        assert_eq!(said.status.code(), Some(0), "{said:?}");
        assert!(String::from_utf8_lossy(&said.stdout).contains("3 kept, 0 broken, 0 not checked"), "{said:?}");
    }
    let plain = conform(&format!("ws://{}", server.address), &["-d", "yjs", "--timeout", "2"]).await;
    assert_eq!(plain.status.code(), Some(1), "it spoke without TLS: {plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conform_says_that_nobody_is_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = conform(&format!("ws://{free}"), &["-d", "peerjs"]).await;
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("nobody listens there"), "{said:?}");
}

/// Plays everything that a dialect promises; what needs a server of its own gets one.
async fn speaks(dialect: &str) {
    let dialect = Dialect::named(dialect).unwrap();
    let mut scripts: Vec<Script> = scripts(dialect.name).into_iter().filter(|s| !s.transcript.slow).collect();
    assert!(!scripts.is_empty());
    while let Some(first) = scripts.first() {
        let settings = first.transcript.server.clone();
        let (those, rest) = scripts.into_iter().partition(|script| script.transcript.server == settings);
        let server = with(&settings).start().await;
        assert_kept(server.address, dialect.own_path, those).await;
        scripts = rest;
    }
}

/// What every server shows, whatever its settings, at once.
fn plain(dialect: &str) -> Vec<Script> {
    let plain = |script: &Script| !script.transcript.slow && !script.transcript.needs_own_server();
    scripts(dialect).into_iter().filter(plain).collect()
}

async fn assert_kept(at: SocketAddr, path: &str, scripts: Vec<Script>) {
    assert_kept_by(tcp(&Base::parse(&at.to_string()).unwrap()), at, path, scripts).await;
}

async fn assert_kept_by(dial: Dial, at: SocketAddr, path: &str, scripts: Vec<Script>) {
    let base = Base::parse(&at.to_string()).unwrap().at(path);
    let plan = Plan { base, patience: DEADLINE, strict: true, slow: false };
    let broken = spawn_blocking(move || {
        let mut random = || getrandom::u64().unwrap();
        let play = |script: &Script| match plan.play(script, &dial, &mut random) {
            Verdict::Kept | Verdict::NotChecked(_) => None,
            Verdict::Broken(misstep) => Some(format!("{}: {misstep:?}", script.name)),
        };
        scripts.iter().filter_map(play).collect::<Vec<_>>()
    });
    let broken = broken.await.unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn with(settings: &Settings) -> Wigwag {
    let limits = serde_json::to_value(&settings.limits).unwrap();
    let defaults = serde_json::to_value(Settings::default().limits).unwrap();
    let changed = limits.as_object().unwrap().iter().filter(|(key, value)| defaults[*key] != **value);
    let server = changed.fold(Wigwag::new(), |server, (key, value)| server.set(&format!("limits.{key}"), value));
    let server = settings.set.iter().fold(server, |server, (key, value)| server.set(key, value));
    match &settings.namespaces {
        Some(namespaces) => server.set("auth.namespaces", namespaces.join(",")),
        None => server,
    }
}

async fn conform(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    clean(&mut command);
    command.arg("conform").arg(url).args(args).stdin(Stdio::null());
    spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A door to a server that knows no `/version`, as a server of another kind.
async fn front_that_hides_what_it_is(server: &Server) -> SocketAddr {
    use tokio::io::{AsyncReadExt, copy_bidirectional};
    use tokio::net::TcpListener;
    let to = server.address;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![0; 14];
                if from.read_exact(&mut head).await.is_err() {
                    return;
                }
                if head.starts_with(b"GET /version") {
                    let _ = from
                        .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                        .await;
                    return;
                }
                let mut to = TcpStream::connect(to).await.unwrap();
                to.write_all(&head).await.unwrap();
                let _ = copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    at
}
