//! What an operator says about the dialects: which are spoken, where, and what an address without one speaks.

use std::fmt;
use std::str::FromStr;

use wigwag_dialects::Dialect;

use super::types::{Listen, text_setting};
use super::value::{Raw, Setting, quote};

/// A dialect by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialectName(pub Dialect);

text_setting!(DialectName, "a dialect: volli, manamesh, watchparty, tom, peerjs, yjs, matchbox, tracker or trystero");

impl FromStr for DialectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Dialect::from_name(text).map(Self).ok_or_else(|| format!("{text:?} is not {}", <Self as Setting>::KIND))
    }
}

impl fmt::Display for DialectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// What is spoken at `/` and at every path that is no dialect's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RootDialect {
    /// The first frame decides.
    #[default]
    Auto,
    /// Nothing: such a socket is refused.
    Off,
    /// This one.
    One(Dialect),
}

impl RootDialect {
    /// The one dialect, if it is one.
    pub fn one(self) -> Option<Dialect> {
        match self {
            Self::One(dialect) => Some(dialect),
            Self::Auto | Self::Off => None,
        }
    }
}

text_setting!(RootDialect, "\"auto\", \"off\" or the name of a dialect");

impl FromStr for RootDialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            name => Dialect::from_name(name)
                .map(Self::One)
                .ok_or_else(|| format!("{text:?} is not {}", <Self as Setting>::KIND)),
        }
    }
}

impl fmt::Display for RootDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::One(dialect) => dialect.name(),
        })
    }
}

/// A path that a dialect is given instead of its usual ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectPath {
    /// The dialect.
    pub dialect: Dialect,
    /// Begins with a slash and does not end with one, unless that is all.
    pub path: String,
}

text_setting!(DialectPath, "a dialect and its path, such as \"yjs=/signal\"");

impl FromStr for DialectPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is not {}", <Self as Setting>::KIND);
        let (name, path) = text.split_once('=').ok_or_else(refuse)?;
        let dialect = Dialect::from_name(name.trim()).ok_or_else(refuse)?;
        let path = path.trim();
        let plain = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b)) && !path.contains("//");
        if !path.starts_with('/') || !plain {
            return Err(refuse());
        }
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        Ok(Self { dialect, path: path.into() })
    }
}

impl fmt::Display for DialectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.dialect.name(), self.path)
    }
}

/// A place to listen at for one dialect alone, whatever the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectListen {
    /// The dialect.
    pub dialect: Dialect,
    /// The place.
    pub listen: Listen,
}

text_setting!(DialectListen, "a dialect and a place to listen at, such as \"peerjs=:9000\"");

impl FromStr for DialectListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is not {}", <Self as Setting>::KIND);
        let (name, place) = text.split_once('=').ok_or_else(refuse)?;
        let dialect = Dialect::from_name(name.trim()).ok_or_else(refuse)?;
        Ok(Self { dialect, listen: place.trim().parse()? })
    }
}

impl fmt::Display for DialectListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.dialect.name(), self.listen)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn settings_print_as_what_they_were_read_from() {
        for text in ["yjs=/signal", "peerjs=/", "tom=/a/b"] {
            assert_eq!(text.parse::<DialectPath>().unwrap().to_string(), text);
        }
        assert_eq!("yjs=/signal/".parse::<DialectPath>().unwrap().path, "/signal");
        assert_eq!("peerjs=:9000".parse::<DialectListen>().unwrap().to_string(), "peerjs=[::]:9000");
        for text in ["auto", "off", "yjs"] {
            assert_eq!(text.parse::<RootDialect>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in ["yjs", "yjs=signal", "icq=/x", "yjs=/a?b", "yjs=//"] {
            let why = text.parse::<DialectPath>().unwrap_err();
            assert!(why.contains("such as"), "{why}");
        }
        assert!("icq".parse::<DialectName>().unwrap_err().contains("trystero"));
        assert!("peerjs=nowhere".parse::<DialectListen>().is_err());
    }
}
