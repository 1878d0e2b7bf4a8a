//! The types of our own that a setting may have: each reads itself from TOML or plain text and prints itself as TOML.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use wigwag_wire::Namespace;

use super::value::{Raw, Setting, quote};

/// Implements [`Setting`] for a type with `FromStr` (whose error is text) and `Display`, as a TOML string.
macro_rules! text_setting {
    ($type:ty, $kind:literal) => {
        impl Setting for $type {
            const KIND: &'static str = $kind;

            fn read(raw: &Raw) -> Result<Self, String> {
                raw.text().ok_or_else(|| raw.refuse::<Self>())?.parse()
            }

            fn toml(&self) -> String {
                quote(&self.to_string())
            }
        }
    };
}

pub(super) use text_setting;

impl Setting for Namespace {
    const KIND: &'static str = "a namespace";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = raw.text().ok_or_else(|| raw.refuse::<Self>())?;
        Namespace::new(text).map_err(|why| format!("{text:?} is no namespace: it {why}"))
    }

    fn toml(&self) -> String {
        quote(self.as_str())
    }
}

/// A place to accept connections at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Address(SocketAddr),
    /// A host name and a port, looked up when the server starts.
    Name(String, u16),
    /// A Unix socket's path.
    Unix(PathBuf),
}

text_setting!(Listen, "an address such as \"[::]:8080\", \"127.0.0.1:8080\", \":8080\" or \"unix:/run/wigwag.sock\"");

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is not {}", <Self as Setting>::KIND);
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(refuse()) } else { Ok(Listen::Unix(path.into())) };
        }
        if let Ok(address) = text.parse() {
            return Ok(Listen::Address(address));
        }
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
            return Ok(Listen::Address(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(refuse)?;
        let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
        match port.parse() {
            Ok(port) if named => Ok(Listen::Name(host.into(), port)),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Address(address) => write!(f, "{address}"),
            Listen::Name(host, port) => write!(f, "{host}:{port}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Where the server keeps what must survive it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Data {
    /// `$STATE_DIRECTORY`, else the platform's place for a user's data. Loading replaces it by that folder.
    #[default]
    Platform,
    /// Nowhere: everything is gone when the process ends.
    Memory,
    /// A folder.
    Folder(PathBuf),
}

text_setting!(Data, "a folder or \":memory:\"");

impl FromStr for Data {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "" => Data::Platform,
            ":memory:" => Data::Memory,
            folder => Data::Folder(folder.into()),
        })
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::Platform => Ok(()),
            Data::Memory => f.write_str(":memory:"),
            Data::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// Whose word about a client's address counts (`X-Forwarded-For`, `Forwarded`, PROXY protocol).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustProxy {
    /// Anybody's: only for a server that nothing but its proxy can reach.
    Everyone,
    /// Only that of proxies in these networks; none if empty.
    Networks(Vec<IpNet>),
}

impl TrustProxy {
    /// Whether a proxy at this address is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            TrustProxy::Everyone => true,
            TrustProxy::Networks(networks) => networks.iter().any(|net| net.contains(&address)),
        }
    }

    /// Whether nobody is believed.
    pub fn is_off(&self) -> bool {
        matches!(self, TrustProxy::Networks(networks) if networks.is_empty())
    }
}

/// What the word `private` stands for in a list of trusted proxies: loopback, private, unique-local and link-local.
const PRIVATE: [&str; 7] =
    ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10"];

impl Setting for TrustProxy {
    const KIND: &'static str = "a list of networks such as [\"10.0.0.0/8\"], \"private\", true or false";

    fn read(raw: &Raw) -> Result<Self, String> {
        if let Ok(flag) = bool::read(raw) {
            return Ok(if flag { TrustProxy::Everyone } else { TrustProxy::Networks(Vec::new()) });
        }
        let mut networks = Vec::new();
        for item in Vec::<String>::read(raw).map_err(|_| raw.refuse::<Self>())? {
            if item == "private" {
                networks.extend(PRIVATE.iter().filter_map(|net| net.parse::<IpNet>().ok()));
            } else if let Ok(net) = item.parse::<IpNet>() {
                networks.push(net.trunc());
            } else if let Ok(address) = item.parse::<IpAddr>() {
                networks.push(IpNet::from(address));
            } else {
                return Err(format!(
                    "{item:?} is neither a network such as \"10.0.0.0/8\", an address nor \"private\""
                ));
            }
        }
        Ok(TrustProxy::Networks(networks))
    }

    fn toml(&self) -> String {
        match self {
            TrustProxy::Everyone => "true".into(),
            TrustProxy::Networks(nets) => nets.iter().map(ToString::to_string).collect::<Vec<_>>().toml(),
        }
    }
}

/// Text that must not be shown: `Debug` hides it, and only [`Secret::reveal`] gives it out.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret; an empty one means "not set".
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself, if there is one.
    pub fn reveal(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "Secret(set)" } else { "Secret(not set)" })
    }
}

impl Setting for Secret {
    const KIND: &'static str = "text, kept secret";

    fn read(raw: &Raw) -> Result<Self, String> {
        // The value stays out of the message, which may end in a log.
        raw.text().map(Secret::new).ok_or_else(|| "this must be text".into())
    }

    fn toml(&self) -> String {
        quote(&self.0)
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

text_setting!(LogFormat, "\"text\" or \"json\"");

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{text:?} is not {}", <Self as Setting>::KIND)),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

/// The server's address as the world sees it; empty if nobody said.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PublicUrl(String);

text_setting!(PublicUrl, "a URL such as \"https://wigwag.example.org\"");

impl PublicUrl {
    /// The URL without a final slash, if one is set.
    pub fn url(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }

    /// Its host, without the port.
    pub fn host(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        let authority = rest.split('/').next()?;
        Some(match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        })
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let refuse = || format!("{text:?} is not {}", <Self as Setting>::KIND);
        let uri: http::Uri = text.parse().map_err(|_| refuse())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let plain = uri.query().is_none() && !text.contains(['@', '#']);
        if web && plain && uri.host().is_some_and(|host| !host.is_empty()) {
            Ok(PublicUrl(text.trim_end_matches('/').into()))
        } else {
            Err(refuse())
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of the origin allow-list: `https://app.example.org`, `https://*.example.org`, or `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    text: String,
}

text_setting!(OriginPattern, "an origin such as \"https://app.example.org\" or \"https://*.example.org\"");

impl OriginPattern {
    /// Whether an `Origin` header's value is meant by this entry.
    pub fn matches(&self, origin: &str) -> bool {
        let Some((scheme, host)) = self.text.split_once("://*.") else {
            return self.text.eq_ignore_ascii_case(origin);
        };
        let Some((its_scheme, its_host)) = origin.split_once("://") else {
            return false;
        };
        let Some(cut) = its_host.len().checked_sub(host.len() + 1) else {
            return false;
        };
        let (Some(sub), Some(tail)) = (its_host.get(..cut), its_host.get(cut..)) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(its_scheme)
            && !sub.is_empty()
            && sub.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
            && tail.strip_prefix('.').is_some_and(|tail| tail.eq_ignore_ascii_case(host))
    }
}

impl FromStr for OriginPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is not {}", <Self as Setting>::KIND);
        if text != "null" {
            let (scheme, rest) = text.split_once("://").ok_or_else(refuse)?;
            let host = rest.strip_prefix("*.").unwrap_or(rest);
            let fine = !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b))
                && !scheme.is_empty()
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
            if !fine {
                return Err(refuse());
            }
        }
        Ok(OriginPattern { text: text.into() })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
