//! JSON that passes through: measured, never understood.

use memchr::{memchr2, memchr3};

/// Whether no part of `json`, which must be well-formed, is nested deeper than `max`. `0` is no limit.
pub fn depth_within(json: &str, max: u64) -> bool {
    if max == 0 {
        return true;
    }
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0u64);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                // To the closing quote, over what a backslash escapes.
                loop {
                    match memchr2(b'"', b'\\', &bytes[at..]) {
                        Some(i) if bytes[at + i] == b'\\' => at = (at + i + 2).min(bytes.len()),
                        Some(i) => {
                            at += i + 1;
                            break;
                        }
                        None => return true,
                    }
                }
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    true
}

/// Whether a text holds any bracket at all; a quick way past [`depth_within`] for plain strings.
pub fn is_flat(json: &str) -> bool {
    memchr3(b'{', b'[', b'"', json.as_bytes()).is_none()
}
