//! Looks at the bytes of a JSON text, many at a time. It knows nothing of what they mean.

/// Where the first byte stands, from this place on, that a JSON text cannot hold as it is: a quote, a backslash or a control character.
/// The length, if there is none.
#[inline]
pub(crate) fn first_special(bytes: &[u8], from: usize) -> usize {
    // Most texts are short.
    let Some(first) = bytes.get(from..).and_then(<[u8]>::first_chunk) else { return first_of_few(bytes, from) };
    let special = specials(first);
    if special == 0 { first_of_many(bytes, from + CHUNK) } else { from + special.trailing_zeros() as usize }
}

fn first_of_many(bytes: &[u8], from: usize) -> usize {
    let (pairs, _) = bytes.get(from..).unwrap_or_default().as_chunks::<{ 2 * CHUNK }>();
    for (at, pair) in pairs.iter().enumerate() {
        let ([one, other], _) = pair.as_chunks() else { break };
        let special = specials(one) | specials(other) << CHUNK;
        if special != 0 {
            return from + at * 2 * CHUNK + special.trailing_zeros() as usize;
        }
    }
    let from = from + pairs.len() * 2 * CHUNK;
    match bytes.get(from..).and_then(<[u8]>::first_chunk).map(specials) {
        Some(special) if special != 0 => from + special.trailing_zeros() as usize,
        Some(_) => first_of_few(bytes, from + CHUNK),
        None => first_of_few(bytes, from),
    }
}

/// The same where there is no whole chunk.
fn first_of_few(bytes: &[u8], from: usize) -> usize {
    let few = bytes.len().saturating_sub(from);
    let special = among_last(bytes, few, specials, is_special);
    bytes.len() - few + (special.trailing_zeros() as usize).min(few)
}

/// Whether there are at most so many `[` and `{`, those in texts too.
pub(crate) fn openings_within(bytes: &[u8], max: u64) -> bool {
    let (chunks, rest) = bytes.as_chunks();
    let last = among_last(bytes, rest.len(), openings, is_opening);
    // Few chunks have one.
    let count = |mask: u32| if mask == 0 { 0 } else { u64::from(mask.count_ones()) };
    chunks.iter().map(|chunk| count(openings(chunk))).sum::<u64>() + count(last) <= max
}

/// A bit for each byte that `is` so among the last `few`, which are no whole chunk.
#[inline]
fn among_last(bytes: &[u8], few: usize, mask: impl Fn(&[u8; CHUNK]) -> u32, is: impl Fn(u8) -> bool) -> u32 {
    match bytes.last_chunk() {
        // Together with some before them, of which those that count are the highest.
        Some(last) => mask(last).unbounded_shr((CHUNK - few) as u32),
        None => one_by_one(&bytes[bytes.len() - few..], is),
    }
}

/// So many bytes are looked at together.
const CHUNK: usize = 16;

/// A bit for each special byte.
#[cfg(target_arch = "x86_64")]
#[inline]
fn specials(chunk: &[u8; CHUNK]) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_min_epu8, _mm_or_si128, _mm_set1_epi8};
    mask(chunk, |bytes| {
        #[expect(unsafe_code, reason = "a compiler finds no mask of so many bytes by itself")]
        // SAFETY: every processor of this kind has SSE2.
        unsafe {
            let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
            let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
            let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
            _mm_or_si128(_mm_or_si128(quote, backslash), control)
        }
    })
}

/// A bit for each `[` and `{`, which differ in one bit.
#[cfg(target_arch = "x86_64")]
#[inline]
fn openings(chunk: &[u8; CHUNK]) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_or_si128, _mm_set1_epi8};
    mask(chunk, |bytes| {
        #[expect(unsafe_code, reason = "a compiler finds no mask of so many bytes by itself")]
        // SAFETY: every processor of this kind has SSE2.
        unsafe {
            _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8(b'{'.cast_signed()))
        }
    })
}

/// A bit for each byte that is marked by all of its own.
#[cfg(target_arch = "x86_64")]
#[inline]
fn mask(chunk: &[u8; CHUNK], marked: impl Fn(std::arch::x86_64::__m128i) -> std::arch::x86_64::__m128i) -> u32 {
    use std::arch::x86_64::{_mm_loadu_si128, _mm_movemask_epi8};
    #[expect(unsafe_code, reason = "only so they are read as one")]
    // SAFETY: every processor of this kind has SSE2, and the sixteen bytes may lie anywhere.
    let mask = unsafe { _mm_movemask_epi8(marked(_mm_loadu_si128(chunk.as_ptr().cast()))) };
    mask.cast_unsigned()
}

/// The same for any processor.
#[cfg(not(target_arch = "x86_64"))]
fn specials(chunk: &[u8; CHUNK]) -> u32 {
    one_by_one(chunk, is_special)
}

#[cfg(not(target_arch = "x86_64"))]
fn openings(chunk: &[u8; CHUNK]) -> u32 {
    one_by_one(chunk, is_opening)
}

fn one_by_one(bytes: &[u8], is: impl Fn(u8) -> bool) -> u32 {
    bytes.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(is(*byte)) << at)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..0x20)
}

fn is_opening(byte: u8) -> bool {
    matches!(byte, b'[' | b'{')
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let text = r#"a "text" of some length, with "quotes" at its end""#;
        for from in 0..=text.len() {
            let first = text.bytes().skip(from).position(|byte| byte == b'"').map(|at| from + at);
            assert_eq!(first_special(text.as_bytes(), from), first.unwrap_or(text.len()), "from {from}");
        }
    }

    #[test]
    fn every_byte_is_known_for_what_it_is_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in 0..CHUNK {
                let mut chunk = [b'a'; CHUNK];
                chunk[at] = byte;
                assert_eq!(specials(&chunk), one_by_one(&chunk, is_special), "{byte:#x} at {at}");
                assert_eq!(openings(&chunk), one_by_one(&chunk, is_opening), "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn openings_are_counted_wherever_they_stand() {
        for length in 0..140 {
            let text = "[a{b".repeat(40)[..length].to_owned();
            let count = text.bytes().filter(|byte| is_opening(*byte)).count() as u64;
            assert!(openings_within(text.as_bytes(), count), "{text}");
            assert!(count == 0 || !openings_within(text.as_bytes(), count - 1), "{text}");
        }
    }
}
