//! Splits frames as programs write them: one object with plain keys, whose values are taken as they stand.
//! What it does not know at sight it leaves to the library, which decides what is JSON and words what is not.

use serde_json::value::RawValue;

use crate::raw::plain_len;

/// A value as it stands in the frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// A text without escapes, in its quotes.
    Plain(&'a str),
    /// A whole number, or one of JSON's three words.
    Word(&'a str),
    /// Whatever the library found to be a value.
    Raw(&'a RawValue),
}

/// Texts no longer than this are read here. The library reads longer ones, for they are content, which it then has not to read again.
const PLAIN_MAX: usize = 64;

impl<'a> Value<'a> {
    pub(super) fn get(self) -> &'a str {
        match self {
            Self::Plain(text) | Self::Word(text) => text,
            Self::Raw(raw) => raw.get(),
        }
    }

    /// The same as content to be passed on.
    pub(super) fn raw(self) -> Option<&'a RawValue> {
        match self {
            Self::Plain(text) | Self::Word(text) => serde_json::from_str(text).ok(),
            Self::Raw(raw) => Some(raw),
        }
    }
}

/// Hands each field of a frame to `each`, in order, and answers whether none of them holds others. `None`: ask the library.
pub(super) fn split<'a>(text: &'a str, mut each: impl FnMut(&'a str, Value<'a>)) -> Option<bool> {
    let bytes = text.as_bytes();
    let mut at = after(bytes, 0, b'{')?;
    let mut is_flat = true;
    loop {
        let key = after(bytes, at, b'"')?;
        let end = key + closed(bytes.get(key..)?)?;
        at = space(bytes, after(bytes, end + 1, b':')?);
        let value;
        (value, at) = read(text, at)?;
        is_flat &= !matches!(value, Value::Raw(raw) if raw.get().starts_with(['{', '[']));
        each(text.get(key..end)?, value);
        at = space(bytes, at);
        match bytes.get(at)? {
            b',' => at += 1,
            b'}' => return (space(bytes, at + 1) == bytes.len()).then_some(is_flat),
            _ => return None,
        }
    }
}

/// The value at a place, and the place after it.
fn read(text: &str, at: usize) -> Option<(Value<'_>, usize)> {
    let rest = text.get(at..)?;
    match rest.as_bytes().first()? {
        b'"' => match rest.as_bytes().get(1..).and_then(closed) {
            Some(length) => Some((Value::Plain(rest.get(..length + 2)?), at + length + 2)),
            None => by_library(rest, at),
        },
        first @ b'0'..=b'9' => {
            let length = rest.bytes().take_while(u8::is_ascii_digit).count();
            let is_whole = !matches!(rest.as_bytes().get(length), Some(b'.' | b'e' | b'E'));
            let good = is_whole && (*first != b'0' || length == 1);
            good.then_some((Value::Word(rest.get(..length)?), at + length))
        }
        b'{' | b'[' => by_library(rest, at),
        _ => {
            let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word))?;
            Some((Value::Word(rest.get(..word.len())?), at + word.len()))
        }
    }
}

fn by_library(rest: &str, at: usize) -> Option<(Value<'_>, usize)> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    let raw = values.next()?.ok()?;
    Some((Value::Raw(raw), at + values.byte_offset()))
}

/// How long the text is that begins here, if it is short, has no escapes and is closed.
fn closed(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.get(..PLAIN_MAX).unwrap_or(bytes);
    let length = plain_len(bytes);
    (bytes.get(length) == Some(&b'"')).then_some(length)
}

/// The place after this sign, which only space may come before.
fn after(bytes: &[u8], at: usize, sign: u8) -> Option<usize> {
    let at = space(bytes, at);
    (bytes.get(at) == Some(&sign)).then_some(at + 1)
}

/// The first place from here on that is no space.
fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}
