//! Splits frames as programs write them: one object with plain keys, whose values are taken as they stand.
//! What it does not know at sight it leaves to the library, which decides what is JSON and words what is not.

use serde_json::value::RawValue;

use crate::raw::{Content, plain_len};

/// A value as it stands in the frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// A text without escapes, in its quotes.
    Plain(&'a str),
    /// A whole number, one of JSON's three words, or an object of such and of plain texts.
    Known(&'a str),
    /// Whatever the library found to be a value.
    Raw(&'a RawValue),
}

/// How deep an object may lie that is read here.
const DEPTH_MAX: usize = 2;

impl<'a> Value<'a> {
    pub(super) fn get(self) -> &'a str {
        match self {
            Self::Plain(text) | Self::Known(text) => text,
            Self::Raw(raw) => raw.get(),
        }
    }

    /// The same as content to be passed on.
    pub(super) fn content(self) -> Content<'a> {
        Content::known(self.get())
    }

    /// The same for who wants the library's own.
    pub(super) fn raw(self) -> Option<&'a RawValue> {
        match self {
            Self::Raw(raw) => Some(raw),
            Self::Plain(_) | Self::Known(_) => self.content().raw(),
        }
    }
}

/// Hands each field of a frame to `each`, in order, and answers whether none of them holds others. `None`: ask the library.
pub(super) fn split<'a>(text: &'a str, mut each: impl FnMut(&'a str, Value<'a>)) -> Option<bool> {
    let mut is_flat = true;
    let end = object(text, space(text.as_bytes(), 0), 0, &mut |key, value: Value<'a>| {
        is_flat &= !value.get().starts_with(['{', '[']);
        each(key, value);
    })?;
    (space(text.as_bytes(), end) == text.len()).then_some(is_flat)
}

/// Reads the object at a place, hands each of its fields to `each`, and answers the place after it.
fn object<'a>(text: &'a str, at: usize, depth: usize, each: &mut dyn FnMut(&'a str, Value<'a>)) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = after(bytes, at, b'{')?;
    loop {
        let key = after(bytes, at, b'"')?;
        let end = key + closed(bytes.get(key..)?)?;
        at = space(bytes, after(bytes, end + 1, b':')?);
        let value;
        (value, at) = read(text, at, depth)?;
        each(text.get(key..end)?, value);
        at = space(bytes, at);
        match bytes.get(at)? {
            b',' => at += 1,
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The value at a place, and the place after it.
fn read(text: &str, at: usize, depth: usize) -> Option<(Value<'_>, usize)> {
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
            good.then_some((Value::Known(rest.get(..length)?), at + length))
        }
        b'{' if depth < DEPTH_MAX => match object(text, at, depth + 1, &mut |_, _| {}) {
            Some(end) => Some((Value::Known(text.get(at..end)?), end)),
            None => by_library(rest, at),
        },
        b'{' | b'[' => by_library(rest, at),
        _ => {
            let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word))?;
            Some((Value::Known(rest.get(..word.len())?), at + word.len()))
        }
    }
}

fn by_library(rest: &str, at: usize) -> Option<(Value<'_>, usize)> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    let raw = values.next()?.ok()?;
    Some((Value::Raw(raw), at + values.byte_offset()))
}

/// How long the text is that begins here, if it has no escapes and is closed.
fn closed(bytes: &[u8]) -> Option<usize> {
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
