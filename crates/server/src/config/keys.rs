//! The table of all keys. Everything that knows a key by name reads it here.

use std::path::PathBuf;
use std::sync::LazyLock;

use wigwag_wire::limits::LimitRow;
use wigwag_wire::{Limits, Namespace};

use super::dialects::{DialectListen, DialectName, DialectPath, RootDialect};
use super::types::{Data, Listen, LogFormat, OriginPattern, PublicUrl, Secret, TrustProxy};
use super::value::{Raw, Setting};

/// One key of the configuration.
pub struct Key {
    /// The section it stands in: `server`.
    pub section: &'static str,
    /// Its name in the section: `listen`.
    pub name: &'static str,
    /// What it means, in Markdown, one or more lines.
    pub doc: String,
    /// What its value looks like.
    pub kind: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// How a change takes effect while the server runs; `None` if it needs a restart.
    pub live: Option<&'static str>,
    access: Access,
}

/// How a key's value is reached.
enum Access {
    Field { show: fn(&Config) -> String, set: fn(&mut Config, &Raw) -> Result<(), String> },
    Limit(&'static LimitRow),
}

impl Key {
    /// `server.listen`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// `WIGWAG_SERVER_LISTEN`.
    pub fn env(&self) -> String {
        format!("WIGWAG_{}_{}", self.section, self.name).to_ascii_uppercase()
    }

    /// What the number counts: told from the end of the name, or by the table of limits.
    pub fn unit(&self) -> &'static str {
        if let Access::Limit(row) = self.access {
            return row.unit;
        }
        match self.name.rsplit('_').next() {
            Some("ms") => "milliseconds",
            Some("seconds") => "seconds",
            Some("bytes") => "bytes",
            _ => "",
        }
    }

    /// Its value in this configuration, as TOML.
    pub fn show(&self, config: &Config) -> String {
        match self.access {
            Access::Field { show, .. } => show(config),
            Access::Limit(row) => limit(&config.limits, row).to_string(),
        }
    }

    /// Its default, as TOML.
    pub fn default(&self) -> String {
        self.show(&Config::default())
    }

    /// Writes a layer's value into the configuration.
    pub fn set(&self, config: &mut Config, raw: &Raw) -> Result<(), String> {
        match self.access {
            Access::Field { set, .. } => set(config, raw),
            Access::Limit(row) => {
                let value = match raw {
                    Raw::Str(word) | Raw::Text(word) if word.trim() == "off" => 0,
                    _ => u64::read(raw).map_err(|why| format!("{why}, or \"off\""))?,
                };
                config.limits.set(row.key, value);
                Ok(())
            }
        }
    }
}

/// All keys, in the order in which they are printed.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = fields();
    keys.extend(Limits::ROWS.iter().map(limit_key));
    keys
});

/// The key with this path.
pub fn key(path: &str) -> Option<&'static Key> {
    let (section, name) = path.split_once('.')?;
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The sections, in order, each with what it is about.
pub(super) fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    FIELD_SECTIONS.iter().copied().chain([("limits", LIMITS_DOC)])
}

const LIMITS_DOC: &str = "How much one peer, one address and all together may use. `0` or `\"off\"` switches a limit off;\n\
    the start-up log names those that are off.";

fn limit_key(row: &'static LimitRow) -> Key {
    Key {
        section: "limits",
        name: row.key,
        doc: format!("{}\nBeyond it: {} `{}`.", row.doc, row.code.number(), row.code.name()),
        kind: "a whole number or \"off\"",
        secret: false,
        live: None,
        access: Access::Limit(row),
    }
}

fn limit(limits: &Limits, row: &LimitRow) -> u64 {
    limits.values().into_iter().find(|(key, _)| *key == row.key).map_or(row.default, |(_, value)| value)
}

/// Makes, from one list of keys, the structs, their defaults and the table.
///
/// After a default may stand `secret` (never shown) or `live = "how"` (takes effect without a restart).
macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty = $default:expr
                $(, secret $secret:tt)? $(, live $live:literal)?;
            )+
        }
    )+) => {
        /// Everything that can be configured.
        #[derive(Clone, Debug, PartialEq, Default)]
        pub struct Config {
            $( $(#[doc = $section_doc])+ pub $section: $Section, )+
            /// How much one peer, one address and all together may use.
            pub limits: Limits,
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Section {
                $( $(#[doc = $doc])+ pub $name: $type, )+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $name: $default, )+ }
                }
            }
        )+

        fn fields() -> Vec<Key> {
            vec![$($(
                Key {
                    section: stringify!($section),
                    name: stringify!($name),
                    doc: tidy(concat!($($doc, "\n"),+)),
                    kind: <$type as Setting>::KIND,
                    secret: false $(|| $secret)?,
                    live: None $(.or(Some($live)))?,
                    access: Access::Field {
                        show: |config| config.$section.$name.toml(),
                        set: |config, raw| {
                            config.$section.$name = Setting::read(raw)?;
                            Ok(())
                        },
                    },
                },
            )+)+]
        }

        static FIELD_SECTIONS: &[(&str, &str)] = &[
            $( (stringify!($section), concat!($($section_doc, "\n"),+).trim_ascii()), )+
        ];
    };
}

/// A namespace that is known to be a good one.
fn a_namespace(name: &'static str) -> Namespace {
    Namespace::new(name).unwrap_or_else(|_| unreachable!("{name} is a good namespace"))
}

/// Doc comments keep the space after their slashes.
fn tidy(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

sections! {
    /// Who this server is, where it listens and where it keeps things.
    server: Server {
        /// The server's own name. Peers sign it when they prove themselves, so that a signature made for one
        /// server is worthless at another. Empty: the host of `public_url`, else `localhost`.
        name: String = String::new();
        /// The address under which the world reaches this server, for the page at `/` and for log lines:
        /// `https://wigwag.example.org`. Empty: told from each request.
        public_url: PublicUrl = PublicUrl::default();
        /// Where to accept connections: addresses (`[::]:8080` is every address of this machine), host names
        /// with a port, or Unix sockets (`unix:/run/wigwag/wigwag.sock`). `HOST` and `PORT` in the environment
        /// stand in for it.
        listen: Vec<Listen> = vec![Listen::Address(([0u16; 8], 8080).into())];
        /// The folder for what must survive a restart: names, keys, stored signals, sessions. Empty:
        /// `$STATE_DIRECTORY`, else the platform's place for a user's data. `:memory:` keeps nothing.
        data: Data = Data::default();
        /// How long closing takes after SIGTERM: sockets are asked to come back, spread over this time.
        drain_seconds: u64 = 10;
        /// Which proxies are believed when they say whom they speak for (`X-Forwarded-For`, PROXY
        /// protocol): a list of networks, `private` for loopback and private networks, or `true` for
        /// everybody, if nothing but the proxy can reach this server.
        trust_proxy: TrustProxy = TrustProxy::Networks(Vec::new());
        /// Whether trusted proxies begin each connection with a PROXY protocol header, version 1 or 2.
        proxy_protocol: bool = false;
        /// Web pages that may use this server, by origin: `https://app.example.org`, `https://*.example.org`,
        /// `null` for pages without one. Empty: all. Programs outside a browser send no origin and always may.
        origins: Vec<OriginPattern> = Vec::new();
        /// Whether to answer with CORS headers. Switch off if a proxy in front adds its own.
        cors: bool = true;
        /// Whether the limits per address count for this machine itself too. They do not otherwise, because a
        /// proxy on the same machine speaks for many.
        limit_loopback: bool = false;
    }

    /// Encryption, if the server does it itself rather than a proxy in front of it.
    tls: Tls {
        /// The certificate chain, a PEM file.
        cert: PathBuf = PathBuf::new(), live "the file is read again when it changes";
        /// The private key of that certificate, a PEM file.
        key: PathBuf = PathBuf::new(), live "the file is read again when it changes";
    }

    /// Who may use the server.
    auth: Auth {
        /// Whether peers without a key are let in. Their ids last as long as their session.
        guests: bool = true;
        /// The namespaces that this server serves. Empty: any.
        namespaces: Vec<Namespace> = Vec::new();
        /// The namespace of peers that name none.
        default_namespace: Namespace = a_namespace("default");
    }

    /// STUN and TURN servers that peers are told to use.
    ice: Ice {
        /// STUN servers, which tell a peer its public address. Empty: none.
        stun: Vec<String> = vec!["stun:stun.cloudflare.com:3478".into()];
        /// TURN servers, which carry traffic where no direct path exists: `turn:turn.example.org:3478`.
        turn: Vec<String> = Vec::new();
        /// A fixed user name for the TURN servers.
        username: String = String::new();
        /// The fixed password that goes with `username`.
        credential: Secret = Secret::default(), secret true;
        /// A file that holds `credential`.
        credential_file: PathBuf = PathBuf::new();
        /// The secret shared with the TURN servers (coturn's `static-auth-secret`), from which each peer gets
        /// a user name and password that expire.
        secret: Secret = Secret::default(), secret true;
        /// A file that holds `secret`.
        secret_file: PathBuf = PathBuf::new();
        /// How long such a password lasts. Peers that are still here get a new one before it ends.
        ttl_seconds: u64 = 21_600;
    }

    /// The operator's door: `/api/v1`, which is not there unless a token is set.
    admin: Admin {
        /// The bearer token that opens it, 16 characters or more. Empty: no door.
        token: Secret = Secret::default(), secret true;
        /// A file that holds `token`.
        token_file: PathBuf = PathBuf::new();
    }

    /// What is written to standard error.
    log: Log {
        /// `text` for people, `json` for collectors.
        format: LogFormat = LogFormat::Text;
        /// What is worth a line: a level (`error`, `warn`, `info`, `debug`, `trace`) or directives such as
        /// `info,wigwag_server::net=debug`. `RUST_LOG` in the environment stands in for it.
        filter: String = "info".into(), live "PUT /api/v1/log";
    }

    /// When others are told that a peer went.
    presence: Presence {
        /// The time between the loss of a peer's socket and `away`, so that nobody sees a short gap.
        away_after_ms: u64 = 5_000;
        /// The time between the loss of its socket and `gone`, when its session ends and can no longer be resumed.
        gone_after_ms: u64 = 120_000;
    }

    /// What rooms are like where their makers do not say.
    rooms: Rooms {
        /// How many members a room may have whose maker names no capacity.
        capacity: u64 = 100;
        /// How long an empty room is kept.
        linger_seconds: u64 = 60;
        /// The longest time that a maker may ask an empty room to be kept.
        linger_seconds_max: u64 = 86_400;
        /// How long a join code works.
        code_seconds: u64 = 900;
        /// Whether a host may let its room be listed.
        listing: bool = true;
    }

    /// Foreign protocols, so that existing clients need another URL and nothing else.
    dialects: Dialects {
        /// Dialects that are not spoken: of `volli`, `manamesh`, `watchparty`, `tom`, `peerjs`, `yjs`, `matchbox`,
        /// `tracker`, `trystero`.
        off: Vec<DialectName> = Vec::new();
        /// What is spoken at `/` and at every path that is no dialect's own: `auto` (the first frame decides), the
        /// name of one dialect, or `off`.
        root: RootDialect = RootDialect::Auto;
        /// Other paths for dialects, in place of their usual ones: `yjs=/signal`, `peerjs=/myapp`. A dialect may
        /// stand here more than once.
        paths: Vec<DialectPath> = Vec::new();
        /// Places to listen at for one dialect alone, whatever the path: `peerjs=:9000`, `yjs=:4444`.
        listen: Vec<DialectListen> = Vec::new();
    }

    /// What PeerJS clients are told and allowed.
    peerjs: PeerJs {
        /// The key that clients must give; they give this one unless their app names another.
        key: String = "peerjs".into();
        /// Whether anybody may list the ids of the peers that are here (`listAllPeers`).
        allow_discovery: bool = false;
        /// How many peers may be here at once. `0`: as many as the limits let in.
        concurrent_limit: u64 = 0;
        /// The time without a word after which a peer's socket is closed. Clients send a word every 5 seconds. `0`: never.
        alive_timeout_ms: u64 = 60_000;
        /// How long a message waits for a peer that is not here, before its sender is told so.
        expire_timeout_ms: u64 = 5_000;
    }

    /// Networks of nodes.
    networks: Networks {
        /// How long changes of a network are gathered before its nodes are told.
        gather_ms: u64 = 200;
    }
}
