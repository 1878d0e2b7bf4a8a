//! JSON that passes through: measured, never understood.

use memchr::memchr2;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::value::RawValue;

/// What one peer says to another: well-formed JSON, and none of our business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content<'a>(&'a str);

impl<'a> Content<'a> {
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
    max == 0 || openings(json.as_bytes()) <= max || follow(json.as_bytes(), max)
}

/// Appends a text as a JSON string.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    if first_special(text.as_bytes(), 0) == text.len() {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing a text into memory cannot fail.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Where the first byte stands, from this place on, that a JSON text cannot hold as it is: a quote, a backslash or a control character.
/// The length, if there is none.
#[inline]
pub(crate) fn first_special(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = specials(chunk);
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += CHUNK;
    }
    // The last bytes together with some before them, of which those that count are the highest.
    let Some(begin) = bytes.len().checked_sub(CHUNK) else { return one_by_one(bytes, at) };
    let last = bytes.last_chunk().map_or(0, specials);
    let special = last.unbounded_shr((at - begin) as u32);
    if special == 0 { bytes.len() } else { at + special.trailing_zeros() as usize }
}

/// So many bytes are looked at together.
const CHUNK: usize = 16;

/// A bit for each special byte.
#[cfg(target_arch = "x86_64")]
#[inline]
fn specials(chunk: &[u8; CHUNK]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };
    #[expect(unsafe_code, reason = "a compiler finds no mask of so many bytes by itself")]
    // SAFETY: every processor of this kind has SSE2, and the sixteen bytes may lie anywhere.
    unsafe {
        let bytes = _mm_loadu_si128(chunk.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)).cast_unsigned()
    }
}

/// The same for any processor.
#[cfg(not(target_arch = "x86_64"))]
fn specials(chunk: &[u8; CHUNK]) -> u32 {
    chunk.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(is_special(*byte)) << at)
}

fn one_by_one(bytes: &[u8], from: usize) -> usize {
    bytes.iter().skip(from).position(|byte| is_special(*byte)).map_or(bytes.len(), |plain| from + plain)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..0x20)
}

/// How many `[` and `{` there are, those in strings too: the two differ in one bit.
fn openings(bytes: &[u8]) -> u64 {
    // Sums that fit a byte are what a compiler turns into vector instructions.
    let few = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(byte & !0x20 == b'[')).sum::<u8>();
    bytes.chunks(255).map(|chunk| u64::from(few(chunk))).sum()
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
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for special in ['"', '\\', '\u{0}', '\u{1f}'] {
            for plain in ["", "a", "a b!#[]~\u{7f}", "déjà vu ñandú", "0123456789abcdef0123"] {
                for rest in ["", "x", "\"\\\u{1}xyzxyzxyz"] {
                    assert_eq!(
                        first_special(format!("{plain}{special}{rest}").as_bytes(), 0),
                        plain.len(),
                        "{plain}{special:?}{rest}"
                    );
                }
            }
        }
        for text in ["", "plain", "a \"quote\"", "back\\slash", "line\nbreak \u{7f} é", "\u{0}"] {
            let mut out = Vec::new();
            put_text(&mut out, text);
            assert_eq!(String::from_utf8_lossy(&out), serde_json::to_string(text).unwrap_or_default());
        }
        let text = r#"a "text" of some length, with "quotes" at its end""#;
        for from in 0..=text.len() {
            let first = text.bytes().skip(from).position(|byte| byte == b'"').map(|at| from + at);
            assert_eq!(first_special(text.as_bytes(), from), first.unwrap_or(text.len()), "from {from}");
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
