//! Reads frames as programs write them: one object with plain keys, whose values are taken as they stand.
//! What it does not know at sight it leaves to the library, which decides what is JSON and words what is not.

use std::ops::Range;

use serde_json::value::RawValue;

use crate::raw::Content;
use crate::scan::first_special;

/// A value as it stands in the frame.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A text without escapes, a whole number, one of JSON's three words, or an object of such, in which texts may have escapes.
    Known(&'a str),
    /// Whatever the library found to be a value.
    Raw(&'a RawValue),
}

/// How deep an object may lie that is read here.
const DEPTH_MAX: usize = 2;

impl<'a> Value<'a> {
    /// Its text.
    pub fn get(self) -> &'a str {
        match self {
            Self::Known(text) => text,
            Self::Raw(raw) => raw.get(),
        }
    }

    /// What a text without escapes says. `None` for everything else.
    #[inline]
    pub fn plain(self) -> Option<&'a str> {
        let Self::Known(text) = self else { return None };
        text.strip_prefix('"')?.strip_suffix('"')
    }

    /// The same as content to be passed on.
    pub fn content(self) -> Content<'a> {
        Content::known(self.get())
    }

    /// The same for who wants the library's own.
    pub(crate) fn raw(self) -> Option<&'a RawValue> {
        match self {
            Self::Raw(raw) => Some(raw),
            Self::Known(_) => self.content().raw(),
        }
    }
}

/// Hands each field of a frame to `each`, in order, and answers whether none of them holds others. `None`: ask the library, and forget
/// what `each` was handed.
#[inline]
pub fn fields<'a>(text: &'a str, mut each: impl FnMut(&'a str, Value<'a>)) -> Option<bool> {
    let mut is_flat = true;
    let end = object(text.as_bytes(), 0, |key, at| {
        let (value, end) = match known(text.as_bytes(), at, 0) {
            Some(end) => (Value::Known(text.get(at..end)?), end),
            None => by_library(text, at)?,
        };
        is_flat &= !matches!(text.as_bytes().get(at), Some(b'{' | b'['));
        each(text.get(key)?, value);
        Some(end)
    })?;
    (space(text.as_bytes(), end) == text.len()).then_some(is_flat)
}

/// Reads the object at a place: has each of its values read by `value`, which is told where the key lies and where the value begins, and
/// answers the place after it. So does this.
#[inline]
fn object(bytes: &[u8], at: usize, mut value: impl FnMut(Range<usize>, usize) -> Option<usize>) -> Option<usize> {
    let mut at = after(bytes, at, b'{')?;
    loop {
        let key = after(bytes, at, b'"')?;
        let end = closed(bytes, key)?;
        let begin = space(bytes, after(bytes, end + 1, b':')?);
        at = space(bytes, value(key..end, begin)?);
        match bytes.get(at)? {
            b',' => at += 1,
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The place after a value that is read at sight.
fn known(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' if depth == 0 => Some(closed(bytes, at + 1)? + 1),
        b'"' => escaped(bytes, at + 1),
        b'{' if depth < DEPTH_MAX => object(bytes, at, |_, at| known(bytes, at, depth + 1)),
        b'0' => whole(bytes, at + 1),
        b'1'..=b'9' => {
            let length = bytes.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
            whole(bytes, at + length)
        }
        b't' => word(bytes, at, b"true"),
        b'f' => word(bytes, at, b"false"),
        b'n' => word(bytes, at, b"null"),
        _ => None,
    }
}

/// The place where a number ends, if it is a whole one.
fn whole(bytes: &[u8], end: usize) -> Option<usize> {
    (!matches!(bytes.get(end), Some(b'.' | b'e' | b'E' | b'0'..=b'9'))).then_some(end)
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

#[cold]
fn by_library(text: &str, at: usize) -> Option<(Value<'_>, usize)> {
    let mut values = serde_json::Deserializer::from_str(text.get(at..)?).into_iter::<&RawValue>();
    let raw = values.next()?.ok()?;
    Some((Value::Raw(raw), at + values.byte_offset()))
}

/// Where the text ends that begins here, if it has no escapes and is closed.
#[inline]
fn closed(bytes: &[u8], at: usize) -> Option<usize> {
    let end = first_special(bytes, at);
    (bytes.get(end) == Some(&b'"')).then_some(end)
}

/// The place after a text that begins here and may have escapes of two signs, such as those between the lines of a description.
fn escaped(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = first_special(bytes, at);
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', _) => return Some(at + 1),
            (b'\\', Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => at += 2,
            _ => return None,
        }
    }
}

/// The place after this sign, which only space may come before.
#[inline]
fn after(bytes: &[u8], at: usize, sign: u8) -> Option<usize> {
    if bytes.get(at) == Some(&sign) {
        return Some(at + 1);
    }
    let at = space(bytes, at);
    (bytes.get(at) == Some(&sign)).then_some(at + 1)
}

/// The first place from here on that is no space.
#[inline]
fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}
