//! What PeerJS's clients ask over HTTP.

use std::fmt::Write;

use serde::Serialize;
use wigwag_hub::Hub;
use wigwag_wire::Namespace;

use super::PeerJsSettings;
use crate::dialect::Dialect;
use crate::http::HttpAnswer;

/// Answers `GET` of a path below PeerJS's own: nothing, `KEY/id` or `KEY/peers`, decoded. `None`: there is no such page.
pub fn peerjs_http(hub: &Hub, settings: &PeerJsSettings, ns: &Namespace, path: &str) -> Option<HttpAnswer> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Some(HttpAnswer::json(200, &ABOUT));
    }
    let (key, page) = path.split_once('/')?;
    let answer = match page {
        "id" | "peers" if key != settings.key => unauthorized(),
        // The type that clients have always got.
        "id" => HttpAnswer { status: 200, content_type: "text/html; charset=utf-8", body: fresh_id(hub) },
        "peers" if settings.allow_discovery => HttpAnswer::json(200, &hub.ids_of(ns, Dialect::PeerJs.id())),
        "peers" => unauthorized(),
        _ => return None,
    };
    Some(answer)
}

/// What the server says of itself.
#[derive(Serialize)]
struct About {
    name: &'static str,
    description: &'static str,
    website: &'static str,
}

const ABOUT: About = About {
    name: "PeerJS Server",
    description: "Wigwag: brings PeerJS peers together.",
    website: "https://peerjs.com/",
};

fn unauthorized() -> HttpAnswer {
    HttpAnswer { status: 401, content_type: "text/plain; charset=utf-8", body: "Unauthorized".to_owned() }
}

/// A random UUID: nobody has it.
fn fresh_id(hub: &Hub) -> String {
    let mut bytes = [0; 16];
    hub.fill_random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut id = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        // Writing into a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}
