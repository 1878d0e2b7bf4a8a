//! JSON that passes through: measured, never understood.

use memchr::memchr2;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::value::RawValue;

use crate::scan::{first_special, openings_within};

/// What one peer says to another: well-formed JSON, and none of our business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content<'a>(&'a str);

impl<'a> Content<'a> {
    /// Nothing at all.
    pub const NULL: Self = Self("null");

    /// A text that is known to be JSON.
    pub(crate) const fn known(json: &'a str) -> Self {
        Self(json)
    }

    /// The same for who reads on.
    pub fn raw(self) -> Option<&'a RawValue> {
        serde_json::from_str(self.0).ok()
    }

    /// Its text.
    pub const fn get(self) -> &'a str {
        self.0
    }
}

impl<'a> From<&'a RawValue> for Content<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(raw.get())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Content<'_> {
    /// Puts it in as it is. The library reads it once more, for only what it has read it writes so; what is said often is written by hand.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.0).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

/// Whether no part of `json`, which must be well-formed, is nested deeper than `max`. `0` is no limit.
pub fn depth_within(json: &str, max: u64) -> bool {
    // Most messages hold fewer brackets than they may be deep, and counting is many times faster than following.
    max == 0 || openings_within(json.as_bytes(), max) || follow(json.as_bytes(), max)
}

/// What JSON is written to.
pub trait Out {
    /// Appends what is JSON already.
    fn put(&mut self, json: &str);
}

impl Out for Vec<u8> {
    #[inline]
    fn put(&mut self, json: &str) {
        self.extend_from_slice(json.as_bytes());
    }
}

impl Out for String {
    #[inline]
    fn put(&mut self, json: &str) {
        self.push_str(json);
    }
}

/// Appends a text as a JSON string.
pub fn put_text(out: &mut impl Out, text: &str) {
    if first_special(text.as_bytes(), 0) == text.len() {
        out.put("\"");
        out.put(text);
        out.put("\"");
    } else {
        // Writing a text into memory cannot fail.
        out.put(&serde_json::to_string(text).unwrap_or_default());
    }
}

fn follow(bytes: &[u8], max: u64) -> bool {
    let (mut at, mut depth) = (0, 0u64);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = after_string(bytes, at),
            b'{' | b'[' if depth == max => return false,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// The place after the string whose text begins at `at`.
fn after_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += next + 1;
        if bytes[at - 1] == b'"' {
            return at;
        }
        // What a backslash escapes is one byte at least, and none of its other bytes is a quote or a backslash.
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_and_those_in_strings_do_not() {
        for (json, depth) in [
            ("1", 0),
            (r#""[[[[""#, 0),
            (r#"{"a":"}{[\"["}"#, 1),
            (r#"["\\",["\\\"[[[",[]]]"#, 3),
            (r#"[[],[],[[]]]"#, 3),
            (r#"{"\u005b[":"\\"}"#, 1),
        ] {
            for max in 1..8 {
                assert_eq!(depth_within(json, max), depth <= max, "{json} within {max}");
                assert_eq!(follow(json.as_bytes(), max), depth <= max, "{json} within {max}");
            }
        }
    }

    #[test]
    fn a_text_is_written_as_the_library_writes_it() {
        for text in ["", "plain", "a \"quote\"", "back\\slash", "line\nbreak \u{7f} é", "\u{0}"] {
            let mut out = Vec::new();
            put_text(&mut out, text);
            assert_eq!(String::from_utf8_lossy(&out), serde_json::to_string(text).unwrap_or_default());
        }
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(depth_within(&"[".repeat(1000), 0));
    }

    #[test]
    fn a_string_that_ends_too_early_is_no_trouble() {
        for json in [r#"""#, r#""\"#, r#"["\\\"#, r#"{"a":"b\"}"#] {
            assert!(follow(json.as_bytes(), 3), "{json}");
        }
    }
}
