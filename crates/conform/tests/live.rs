//! The player against servers that misbehave: it ends in time, and says what came.
#![cfg(feature = "live")]
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};
use wigwag_conform::live::{Base, Live, tcp};
use wigwag_conform::player::{Misstep, Stopped};
use wigwag_conform::{Bindings, Transcript};

#[test]
fn a_server_that_floods_does_not_hold_the_player_up() {
    let at = serve(|mut socket| while socket.send(Message::text("{}")).is_ok() {});
    let steps = r#"[{"open": "a"}, {"to": "a", "frame": {}}, {"wait": 200}, {"drop": "a"}, {"open": "b"}, {"to": "b", "frame": {}}]"#;
    // That it ends is what counts. Whether the next frame is there by then is the machine's business.
    if let Err(came) = play(at, steps) {
        assert_eq!((came.step, came.came.as_str()), (None, "b was sent {}"));
    }
}

#[test]
fn a_server_that_hangs_up_is_told_from_one_that_closes() {
    let hangs_up = serve(drop);
    let came = play(hangs_up, r#"[{"open": "a"}, {"to": "a", "frame": {}}]"#).unwrap_err();
    assert_eq!((came.step, came.came.as_str()), (Some(2), "it was closed by an end of the connection"));
    let closes = serve(|mut socket| {
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
    });
    assert_eq!(play(closes, r#"[{"open": "a"}, {"closed": "a", "code": 1005}]"#), Ok(()));
    assert_eq!(play(closes, r#"[{"open": "a"}, {"closed": "a"}]"#), Ok(()));
    let came = play(closes, r#"[{"open": "a"}, {"closed": "a", "code": 1000}]"#).unwrap_err();
    assert_eq!(came.came, "closed without a code");
}

#[test]
fn a_frame_that_is_too_much_for_any_dialect_ends_its_socket() {
    let at = serve(|mut socket| {
        let _ = socket.send(Message::text("x".repeat(5 << 20)));
        while socket.read().is_ok() {}
    });
    let came = play(at, r#"[{"open": "a"}, {"to": "a", "frame": "*"}]"#).unwrap_err();
    assert_eq!(came.came, "it was closed by an end of the connection");
}

#[test]
fn a_server_that_says_nothing_is_waited_for_no_longer_than_told() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let came = play(silent.local_addr().unwrap(), r#"[{"open": "a"}]"#).unwrap_err();
    assert_eq!(came.came, "opening it took longer than 2 s");
    let came = play(silent.local_addr().unwrap(), r#"[{"http": "GET /", "status": 200}]"#).unwrap_err();
    assert_eq!(came.came, "the answer took longer than 2 s");
}

#[test]
fn what_speaks_no_websocket_is_told_by_its_status() {
    let at = raw(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(play(at, r#"[{"open": "a", "refused": 404}]"#), Ok(()));
    let came = play(at, r#"[{"open": "a"}]"#).unwrap_err();
    assert_eq!(came.came, "it was refused with status 404");
}

fn play(at: SocketAddr, steps: &str) -> Result<(), Misstep> {
    let transcript: Transcript = serde_json::from_str(&format!(r#"{{"about": "", "steps": {steps}}}"#)).unwrap();
    let base = Base::parse(&at.to_string()).unwrap();
    let dial = tcp(&base);
    let mut live = Live::new(base, dial, Duration::from_secs(2)).unwrap();
    transcript.play(&mut live, Bindings::default(), &mut || 0).map_err(|why| match why {
        Stopped::Broken(misstep) => misstep,
        Stopped::Unable(why) => panic!("{why}"),
    })
}

/// A server that does this with each socket.
fn serve(with: impl Fn(WebSocket<std::net::TcpStream>) + Clone + Send + 'static) -> SocketAddr {
    each(move |line| {
        if let Ok(socket) = accept(line) {
            with(socket);
        }
    })
}

/// A server that answers this to everything.
fn raw(answer: &'static [u8]) -> SocketAddr {
    use std::io::{Read, Write};
    each(move |mut line| {
        let mut head = [0; 4096];
        let _ = line.read(&mut head);
        let _ = line.write_all(answer);
    })
}

fn each(with: impl Fn(std::net::TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for line in listener.incoming().map_while(Result::ok) {
            let with = with.clone();
            thread::spawn(move || with(line));
        }
    });
    at
}
