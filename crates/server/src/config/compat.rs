//! Standing in for another server: what its users never said becomes what that server does by itself.
//!
//! These values lie below every other layer. The options of such a server's own command line are `cli`'s.

use std::str::FromStr;

use super::value::Raw;

/// The server that this one stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    /// PeerServer, the npm package `peer`.
    PeerJs,
}

impl Compat {
    /// The port at which it listens.
    pub fn port(self) -> &'static str {
        match self {
            Self::PeerJs => "9000",
        }
    }

    /// The keys that it sets below all layers. `look` looks into the environment.
    pub(super) fn defaults<'a>(self, look: &impl Fn(&str) -> Option<&'a String>) -> Vec<(&'static str, Raw)> {
        let text = |value: &str| Raw::Text(value.into());
        let mut defaults = vec![
            ("server.listen", Raw::Text(format!(":{}", self.port()))),
            // It keeps nothing, so nobody gave it a folder.
            ("server.data", text(":memory:")),
            // Nobody had to tell it of a proxy; here the limits per address count on it.
            ("server.trust_proxy", text("private")),
            ("dialects.root", text("peerjs")),
            ("peerjs.concurrent_limit", text("5000")),
        ];
        if let Some(path) = look("PEERSERVER_PATH") {
            defaults.push(("dialects.paths", peerjs_path(path)));
        }
        defaults
    }
}

impl FromStr for Compat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "peerjs" => Ok(Self::PeerJs),
            _ => Err(format!("{text:?} is no server that this one can stand in for; `peerjs` is")),
        }
    }
}

/// PeerServer's path, as `dialects.paths` has it. It need not begin with a slash there.
pub fn peerjs_path(path: &str) -> Raw {
    Raw::List(vec![Raw::Text(format!("peerjs=/{}", path.trim().trim_start_matches('/')))])
}
