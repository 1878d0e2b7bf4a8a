//! Which address speaks what.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use wigwag_dialects::{Arrival, Dialect, Which};
use wigwag_wire::{Namespace, Refusal};

use crate::config::{Config, RootDialect};

/// The usual path of each dialect, and whether something may follow it. The first of a dialect is the one that is shown.
const USUAL: &[(&str, Dialect)] = &[
    ("/", Dialect::PeerJs),
    ("/yjs", Dialect::Yjs),
    ("/tracker", Dialect::Tracker),
    ("/announce", Dialect::Tracker),
    ("/matchbox", Dialect::Matchbox),
    ("/relay", Dialect::Trystero),
    ("/signaling", Dialect::ManaMesh),
    ("/room", Dialect::WatchParty),
    ("/watchparty", Dialect::WatchParty),
    ("/volli", Dialect::Volli),
    ("/tom", Dialect::Tom),
];

/// The addresses of one door.
#[derive(Clone, Debug)]
pub struct Routes {
    paths: Vec<(String, Dialect)>,
    root: Option<Which>,
    /// The one dialect of this door.
    pinned: Option<Dialect>,
}

/// What an address speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The dialect, or those among which the first frame chooses.
    pub which: Which,
    /// What follows the dialect's own path, decoded.
    pub rest: String,
}

impl Found {
    /// With the query, the arrival of a socket.
    pub fn arrive(self, query: &str) -> Result<Arrival, Refusal> {
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (Cow::into_owned(name), Cow::into_owned(value)))
            .collect();
        let named = query.iter().find(|(name, _)| name == "ns").map(|(_, value)| Namespace::new(value));
        let namespace = named.transpose().map_err(|why| {
            Refusal::new(wigwag_wire::Code::BadField, format!("`ns` in the address is no namespace: it {why}."))
        })?;
        Ok(Arrival { which: self.which, namespace, rest: self.rest, query })
    }
}

impl Routes {
    /// The addresses that this configuration asks for, at the places where everything is spoken.
    pub fn new(config: &Config) -> Self {
        let spoken = |dialect: Dialect| !config.dialects.off.iter().any(|off| off.0 == dialect);
        let given: Vec<_> = config.dialects.paths.iter().map(|given| (given.path.as_str(), given.dialect)).collect();
        let moved = |dialect: Dialect| given.iter().any(|(_, given)| *given == dialect);
        let usual = USUAL.iter().copied().filter(|(_, dialect)| !moved(*dialect));
        let mut paths: Vec<(String, Dialect)> = given
            .iter()
            .copied()
            .chain(usual)
            .filter(|(_, dialect)| spoken(*dialect))
            .map(|(path, dialect)| (of(path, dialect), dialect))
            .collect();
        // The longest first, so that a path below another one is found.
        paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let all: Vec<Dialect> = Dialect::ALL.iter().copied().filter(|dialect| spoken(*dialect)).collect();
        let root = match config.dialects.root {
            RootDialect::Auto if !all.is_empty() => Some(Which::Among(all)),
            RootDialect::Auto | RootDialect::Off => None,
            RootDialect::One(dialect) => Some(Which::One(dialect)),
        };
        Self { paths, root, pinned: None }
    }

    /// The addresses of a place where one dialect alone is spoken: all of them.
    pub fn pinned(config: &Config, dialect: Dialect) -> Self {
        let mut routes = Self::new(config);
        routes.paths.retain(|(_, known)| *known == dialect);
        routes.root = Some(Which::One(dialect));
        routes.pinned = Some(dialect);
        routes
    }

    /// Whether one dialect alone is spoken here.
    pub fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// The dialect that alone is spoken here.
    pub fn only(&self) -> Option<Dialect> {
        self.pinned
    }

    /// What is spoken at a path.
    pub fn find(&self, path: &str) -> Option<Found> {
        for (own, dialect) in &self.paths {
            if let Some(rest) = below(path, own) {
                return Some(Found { which: Which::One(*dialect), rest: decoded(rest) });
            }
        }
        let rest = match self.root.as_ref()? {
            Which::One(_) => decoded(path.trim_start_matches('/')),
            Which::Among(_) => String::new(),
        };
        Some(Found { which: self.root.clone()?, rest })
    }

    /// The paths at which a dialect is spoken.
    pub fn paths_of(&self, dialect: Dialect) -> impl Iterator<Item = &str> {
        self.paths.iter().filter(move |(_, known)| *known == dialect).map(|(path, _)| path.as_str())
    }

    /// What follows PeerJS's own path in a path: there its clients ask over HTTP, beside the sockets.
    pub fn below_peerjs<'p>(&self, path: &'p str) -> Option<&'p str> {
        let bases = self.paths_of(Dialect::PeerJs).filter_map(|own| own.strip_suffix("/peerjs"));
        let found = bases.filter_map(|base| below(path, base)).next();
        if self.pinned != Some(Dialect::PeerJs) {
            return found;
        }
        // Where nothing else is spoken, no path is wrong: the key and what is asked stand last.
        let rest = found.or_else(|| path.strip_prefix('/'))?;
        Some(rest.rmatch_indices('/').nth(1).map_or(rest, |(at, _)| &rest[at + 1..]))
    }

    /// Whether a dialect is spoken wherever no other one is.
    pub fn speaks_mainly(&self, dialect: Dialect) -> bool {
        matches!(self.root, Some(Which::One(one)) if one == dialect)
    }

    /// The path of a dialect for people; nothing where it is not spoken.
    pub fn shown(&self, dialect: Dialect) -> Option<String> {
        let usual = USUAL.iter().find(|(_, known)| *known == dialect).map(|(path, _)| of(path, dialect));
        let mut own = self.paths_of(dialect);
        usual.filter(|usual| self.paths_of(dialect).any(|path| path == usual)).or_else(|| own.next().map(Into::into))
    }
}

/// Where a dialect's sockets arrive if this is its path: PeerJS adds a part of its own to a path that it is given.
fn of(path: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::PeerJs => format!("{}/peerjs", path.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

/// What follows `own` in `path`, if `path` is it or below it.
fn below<'p>(path: &'p str, own: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(own.trim_end_matches('/'))?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest),
        None if rest.is_empty() => Some(rest),
        None => None,
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text.trim_end_matches('/')).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn routes(change: impl FnOnce(&mut Config)) -> Routes {
        let mut config = Config::default();
        change(&mut config);
        Routes::new(&config)
    }

    fn found(routes: &Routes, path: &str) -> Option<(Option<Dialect>, String)> {
        let found = routes.find(path)?;
        let dialect = match found.which {
            Which::One(dialect) => Some(dialect),
            Which::Among(_) => None,
        };
        Some((dialect, found.rest))
    }

    fn one(dialect: Dialect, rest: &str) -> Option<(Option<Dialect>, String)> {
        Some((Some(dialect), rest.to_owned()))
    }

    #[test]
    fn each_dialect_has_its_path_and_everything_else_is_told_by_the_first_frame() {
        let routes = routes(|_| {});
        for (path, dialect, rest) in [
            ("/peerjs", Dialect::PeerJs, ""),
            ("/yjs", Dialect::Yjs, ""),
            ("/tracker", Dialect::Tracker, ""),
            ("/announce", Dialect::Tracker, ""),
            ("/announce/", Dialect::Tracker, ""),
            ("/matchbox/my%20room", Dialect::Matchbox, "my room"),
            ("/relay", Dialect::Trystero, ""),
            ("/signaling", Dialect::ManaMesh, ""),
            ("/room/a%2Fb", Dialect::WatchParty, "a/b"),
            ("/watchparty/r1", Dialect::WatchParty, "r1"),
            ("/volli", Dialect::Volli, ""),
            ("/tom/main", Dialect::Tom, "main"),
        ] {
            assert_eq!(found(&routes, path), one(dialect, rest), "{path}");
        }
        for path in ["/", "/peerjsx", "/anything", "/rooms/x"] {
            assert_eq!(found(&routes, path), Some((None, String::new())), "{path}");
        }
    }

    #[test]
    fn a_dialect_moves_with_its_path() {
        let routes = routes(|config| {
            config.dialects.paths = vec!["yjs=/signal".parse().unwrap(), "peerjs=/app".parse().unwrap()];
        });
        assert_eq!(found(&routes, "/signal"), one(Dialect::Yjs, ""));
        assert_eq!(found(&routes, "/app/peerjs"), one(Dialect::PeerJs, ""));
        assert_eq!(found(&routes, "/yjs"), Some((None, String::new())));
        assert_eq!(routes.shown(Dialect::PeerJs).as_deref(), Some("/app/peerjs"));
    }

    #[test]
    fn what_is_off_is_neither_found_by_its_path_nor_guessed() {
        let routes = routes(|config| config.dialects.off = vec!["yjs".parse().unwrap()]);
        let Which::Among(among) = routes.find("/yjs").unwrap().which else { panic!("a path of its own") };
        assert!(!among.contains(&Dialect::Yjs) && among.len() == Dialect::ALL.len() - 1);
        assert_eq!(routes.shown(Dialect::Yjs), None);
    }

    #[test]
    fn the_root_can_be_one_dialects_own_or_nobodys() {
        let one_root = routes(|config| config.dialects.root = RootDialect::One(Dialect::Matchbox));
        assert_eq!(found(&one_root, "/lobby"), one(Dialect::Matchbox, "lobby"));
        assert_eq!(found(&one_root, "/yjs"), one(Dialect::Yjs, ""));
        let off = routes(|config| config.dialects.root = RootDialect::Off);
        assert_eq!(found(&off, "/lobby"), None);
    }

    #[test]
    fn a_pinned_place_speaks_its_dialect_at_every_path() {
        let routes = Routes::pinned(&Config::default(), Dialect::Matchbox);
        assert_eq!(found(&routes, "/lobby"), one(Dialect::Matchbox, "lobby"));
        assert_eq!(found(&routes, "/matchbox/lobby"), one(Dialect::Matchbox, "lobby"));
        assert_eq!(found(&routes, "/yjs"), one(Dialect::Matchbox, "yjs"));
    }

    #[test]
    fn peerjs_clients_ask_below_the_path_that_they_were_given() {
        let moved = |paths: &[&str]| {
            routes(|config| config.dialects.paths = paths.iter().map(|path| path.parse().unwrap()).collect())
        };
        let usual = routes(|_| {});
        assert_eq!(usual.below_peerjs("/"), Some(""));
        assert_eq!(usual.below_peerjs("/peerjs/id"), Some("peerjs/id"));
        let app = moved(&["peerjs=/app"]);
        for (path, below) in
            [("/app", Some("")), ("/app/", Some("")), ("/app/k/peers", Some("k/peers")), ("/k/id", None)]
        {
            assert_eq!(app.below_peerjs(path), below, "{path}");
        }
        // A path of that name is a path like any other.
        let same = moved(&["peerjs=/peerjs"]);
        assert_eq!(same.below_peerjs("/peerjs/peerjs/id"), Some("peerjs/id"));
        assert_eq!(found(&same, "/peerjs/peerjs"), one(Dialect::PeerJs, ""));
        let pinned = Routes::pinned(&Config::default(), Dialect::PeerJs);
        for path in ["/k/id", "/any/k/id", "/any/path/k/id"] {
            assert_eq!(pinned.below_peerjs(path), Some("k/id"), "{path}");
        }
        assert_eq!(routes(|config| config.dialects.off = vec!["peerjs".parse().unwrap()]).below_peerjs("/k/id"), None);
    }

    #[test]
    fn the_query_is_decoded_and_a_bad_namespace_is_told() {
        let found = || Found { which: Which::One(Dialect::Yjs), rest: String::new() };
        let arrival = found().arrive("ns=app&x=a+b%21").unwrap();
        assert_eq!(arrival.namespace.as_ref().map(Namespace::as_str), Some("app"));
        assert_eq!(arrival.field("x"), Some("a b!"));
        assert!(found().arrive("ns=a%20b").unwrap_err().message.contains("`ns`"));
    }
}
