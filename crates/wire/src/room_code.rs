//! Join codes: eight characters that a person reads from one screen and types or says into another.

use std::fmt;

/// The characters of a code: no vowels, so that no words arise, and none that looks like another one of them.
pub const ALPHABET: &[u8; 22] = b"23456789CDFHJKMNPRTVWX";

/// How many codes there are: 22⁸, or 35.7 bits.
pub const COUNT: u64 = 22u64.pow(8);

/// A join code in its one form, `K7PM-3XTD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomCode([u8; 9]);

impl RoomCode {
    /// Makes a code of 64 random bits. Every code is as likely as any other, but for one part in 2²⁸.
    pub fn from_random(bits: u64) -> Self {
        let mut rest = bits % COUNT;
        let mut text = [b'-'; 9];
        for at in [0, 1, 2, 3, 5, 6, 7, 8] {
            text[at] = ALPHABET[(rest % 22) as usize];
            rest /= 22;
        }
        Self(text)
    }

    /// Reads what a person typed. Case, hyphens and spaces do not matter, and B, G, S and Z are taken for the digits they look like.
    /// What is no code at all is `None`, which a server treats like any other code that leads nowhere.
    pub fn parse(text: &str) -> Option<Self> {
        let mut signs = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let mut code = [b'-'; 9];
        for at in [0, 1, 2, 3, 5, 6, 7, 8] {
            code[at] = sign(signs.next()?)?;
        }
        signs.next().is_none().then_some(Self(code))
    }

    /// The text as it stands on the wire and on screens.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The character of the alphabet that is meant.
fn sign(typed: char) -> Option<u8> {
    let meant = match u8::try_from(typed).ok()?.to_ascii_uppercase() {
        b'B' => b'8',
        b'G' => b'6',
        b'S' => b'5',
        b'Z' => b'2',
        other => other,
    };
    ALPHABET.contains(&meant).then_some(meant)
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A code opens a door, so it stays out of logs.
impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomCode(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_has_one_form_however_it_is_typed() {
        let code = RoomCode::parse("K7PM-3XTD").unwrap();
        for typed in ["k7pm3xtd", "K7PM3XTD", " k7 pm-3x td ", "K7-PM-3X-TD"] {
            assert_eq!(RoomCode::parse(typed), Some(code), "{typed}");
        }
        assert_eq!(code.as_str(), "K7PM-3XTD");
        assert_eq!(RoomCode::parse("bgsz-8652").unwrap().as_str(), "8652-8652");
    }

    #[test]
    fn what_is_no_code_is_none() {
        for typed in
            ["", "-", "K7PM-3XT", "K7PM-3XTDD", "K7PM-3XT0", "O7PM-3XTD", "K7PM_3XTD", "K7PM–3XTD", "Ḱ7PM-3XTD"]
        {
            assert_eq!(RoomCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn random_bits_reach_every_code_once() {
        assert_eq!(RoomCode::from_random(0).as_str(), "2222-2222");
        assert_eq!(RoomCode::from_random(COUNT - 1).as_str(), "XXXX-XXXX");
        assert_eq!(RoomCode::from_random(COUNT), RoomCode::from_random(0));
        let few: std::collections::BTreeSet<_> = (0..22 * 22 * 22).map(RoomCode::from_random).collect();
        assert_eq!(few.len(), 22 * 22 * 22);
        assert!(few.iter().all(|code| RoomCode::parse(code.as_str()) == Some(*code)));
    }
}
