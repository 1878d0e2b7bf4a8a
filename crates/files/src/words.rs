//! Codes of a few words that two people say to each other, and the secret of the room to which they lead.

use std::fmt;
use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use sha2::Sha256;

/// Fewest words of a code.
pub const WORDS_MIN: usize = 4;

/// Bits that a word stands for.
const WORD_BITS: u32 = 11;

const SALT: &[u8] = b"wigwag.1 word code";
const ROUNDS: u32 = 600_000;

static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("../../../spec/words.txt").lines().collect());

/// The list, in its order.
pub fn words() -> &'static [&'static str] {
    &WORDS
}

/// A code in its normal form. As secret as what it leads to.
#[derive(Clone, PartialEq, Eq)]
pub struct WordCode(String);

/// What was typed is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    /// A word that is not in the list, and those that may have been meant.
    #[error("there is no word {word:?} in codes{}", or(likely))]
    Word {
        /// As it was typed.
        word: String,
        /// The nearest, best first.
        likely: Vec<&'static str>,
    },
    /// Not enough of them.
    #[error("a code has {WORDS_MIN} words or more")]
    Few,
}

fn or(likely: &[&str]) -> String {
    if likely.is_empty() { String::new() } else { format!(": did you mean {}?", likely.join(" or ")) }
}

impl WordCode {
    /// Reads a code as people type it.
    pub fn read(typed: &str) -> Result<Self, BadCode> {
        let typed = typed.to_lowercase();
        let said: Vec<&str> =
            typed.split(|char: char| !char.is_ascii_lowercase()).filter(|word| !word.is_empty()).collect();
        if let Some(word) = said.iter().find(|word| !words().contains(word)) {
            return Err(BadCode::Word { word: (*word).to_owned(), likely: likely(word) });
        }
        if said.len() < WORDS_MIN { Err(BadCode::Few) } else { Ok(Self(said.join("-"))) }
    }

    /// A code of as many words as there are numbers, each made by chance.
    pub fn of(chance: &[u16]) -> Result<Self, BadCode> {
        if chance.len() < WORDS_MIN {
            return Err(BadCode::Few);
        }
        let word = |number: &u16| words()[usize::from(number % (1 << WORD_BITS))];
        Ok(Self(chance.iter().map(word).collect::<Vec<_>>().join("-")))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The secret of the room to which it leads. Takes a moment, on purpose.
    pub fn secret(&self) -> String {
        BASE64URL_NOPAD.encode(&pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(self.0.as_bytes(), SALT, ROUNDS))
    }
}

impl fmt::Debug for WordCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WordCode")
    }
}

/// Up to three words that somebody may have meant.
fn likely(typed: &str) -> Vec<&'static str> {
    let mut near: Vec<(usize, &str)> = words().iter().map(|word| (strsim::osa_distance(typed, word), *word)).collect();
    near.retain(|(distance, word)| *distance <= (word.len() / 3).max(1));
    near.sort_unstable();
    near.into_iter().map(|(_, word)| word).take(3).collect()
}
