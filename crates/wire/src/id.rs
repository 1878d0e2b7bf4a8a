//! Names of things: what may stand on the wire, and types that cannot be mixed up.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use arcstr::ArcStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a good name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing where something must stand.
    #[error("must not be empty")]
    Empty,
    /// Longer than allowed.
    #[error("must not be longer than {0} bytes")]
    TooLong(usize),
    /// A character that is not allowed here.
    #[error("must not contain {0:?}")]
    BadChar(char),
    /// The right characters in the wrong shape.
    #[error("must be {0}")]
    BadShape(&'static str),
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident($text:ty), $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($text);

        impl $name {
            /// Takes a text that keeps the rules.
            pub fn new(text: &str) -> Result<Self, IdError> {
                Self::check(text)?;
                Ok(Self(text.into()))
            }

            /// Says whether a text keeps the rules, without making a value of it.
            pub fn check(text: &str) -> Result<(), IdError> {
                let check: fn(&str) -> Result<(), IdError> = $check;
                check(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <Cow<'de, str>>::deserialize(d)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

names! {
    /// What a peer is called. Native ids have one of three forms (see [`IdForm`]); a dialect's ids are any visible text.
    PeerId(Arc<str>), |t| visible(t, 128);
    /// An app's own world on a server.
    Namespace(ArcStr), |t| plain(t, 1, 64);
    /// One of several programs that share an id; empty where there is only one.
    Device(Arc<str>), |t| plain(t, 0, 32);
    /// A room's name within its namespace.
    RoomName(Arc<str>), |t| visible(t, 128);
    /// A name to publish to.
    Topic(Arc<str>), |t| visible(t, 256);
    /// A network's name within its namespace.
    NetworkName(Arc<str>), |t| visible(t, 128);
    /// A swarm's name within its namespace.
    SwarmName(Arc<str>), |t| visible(t, 128);
    /// What a signal is: `offer`, `answer`, `candidate`, `bye` or a kind of the app's own.
    Kind(Arc<str>), |t| plain(t, 1, 32);
}

/// The form of a peer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm {
    /// 32 characters of base32: the hash of a key.
    Key,
    /// `local@domain`.
    Name,
    /// `~` and 20 characters of base32, made by the server.
    Guest,
    /// Anything else: a dialect's.
    Foreign,
}

impl PeerId {
    /// Length of a key id in characters.
    pub const KEY_LEN: usize = 32;

    /// Which form this id has.
    pub fn form(&self) -> IdForm {
        let text = self.as_str();
        let base32 = |t: &str| t.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
        if text.len() == Self::KEY_LEN && base32(text) {
            return IdForm::Key;
        }
        if let Some(rest) = text.strip_prefix('~') {
            return if rest.len() == 20 && base32(rest) { IdForm::Guest } else { IdForm::Foreign };
        }
        if is_name(text) { IdForm::Name } else { IdForm::Foreign }
    }
}

/// `local@domain`, lower case, no more than one `@`.
fn is_name(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_ok = (1..=64).contains(&local.len())
        && local.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'+'));
    let label_ok = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    local_ok && domain.split('.').all(label_ok)
}

fn visible(text: &str, max: usize) -> Result<(), IdError> {
    length(text, 1, max)?;
    // All of them, without stopping at the first that is not, so that many are looked at together.
    if text.bytes().fold(true, |all, b| all & matches!(b, b' '..=b'~')) {
        return Ok(());
    }
    match text.chars().find(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        Some(c) => Err(IdError::BadChar(c)),
        None => Ok(()),
    }
}

fn plain(text: &str, min: usize, max: usize) -> Result<(), IdError> {
    length(text, min, max)?;
    if text.bytes().all(|b| PLAIN[usize::from(b)]) {
        return Ok(());
    }
    match text.chars().find(|c| u8::try_from(*c).map_or(true, |b| !PLAIN[usize::from(b)])) {
        Some(c) => Err(IdError::BadChar(c)),
        None => Ok(()),
    }
}

/// Which bytes are letters, digits, or one of four signs.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut b = 0;
    while b < 128u8 {
        plain[b as usize] = b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~');
        b += 1;
    }
    plain
};

fn length(text: &str, min: usize, max: usize) -> Result<(), IdError> {
    if text.len() < min {
        Err(IdError::Empty)
    } else if text.len() > max {
        Err(IdError::TooLong(max))
    } else {
        Ok(())
    }
}
