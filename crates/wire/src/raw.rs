//! JSON that passes through: measured, never understood.

use memchr::memchr2;

/// Whether no part of `json`, which must be well-formed, is nested deeper than `max`. `0` is no limit.
pub fn depth_within(json: &str, max: u64) -> bool {
    // Most messages hold fewer brackets than they may be deep, and counting is many times faster than following.
    max == 0 || openings(json.as_bytes()) <= max || follow(json.as_bytes(), max)
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
