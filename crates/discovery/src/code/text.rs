//! Codes as text: the alphabet, the header and the checksum. What stands between is the matter of `body`.

use super::{BYTES_MAX, ReadError, Tag, VERSION};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PREFIX: &str = "WW";
const HEADER: usize = 3;
const CHECKSUM: usize = 4;

/// What a text holds, once it is known to have arrived as it was sent.
pub(super) struct Frame {
    pub(super) flags: u8,
    pub(super) inner: Vec<u8>,
    pub(super) tag: Tag,
    /// The text in its one form.
    pub(super) text: String,
}

/// The text of a first byte's low half and of all between the length and the checksum; None if that is too much.
pub(super) fn write(flags: u8, inner: &[u8]) -> Option<(String, Tag)> {
    let length = HEADER + inner.len() + CHECKSUM;
    let [.., high, low] = u32::try_from(length).ok().filter(|_| length <= BYTES_MAX)?.to_be_bytes();
    let mut bytes = vec![VERSION << 4 | flags, high, low];
    bytes.extend(inner);
    let tag = Tag(crc32(&bytes));
    bytes.extend(tag.0.to_be_bytes());
    Some((in_letters(&bytes), tag))
}

/// The same backwards, from whatever a person pasted.
pub(super) fn read(pasted: &str) -> Result<Frame, ReadError> {
    let from = pasted.rfind(['#', '/', '=', '?', ':']).map_or(0, |at| at + 1);
    let mut signs = pasted.get(from..).unwrap_or_default().chars().filter(|sign| !is_silent(*sign));
    if !PREFIX.chars().all(|sign| signs.next().is_some_and(|typed| typed.eq_ignore_ascii_case(&sign))) {
        return Err(ReadError::NotACode);
    }
    let values = signs.map(value).collect::<Option<Vec<u8>>>().ok_or(ReadError::Damaged)?;
    let (bytes, rest) = pour(&values, 5, 8);
    let &[first, high, low, ..] = bytes.as_slice() else { return Err(ReadError::CutShort) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let characters = (length * 8).div_ceil(5);
    if values.len() < characters {
        return Err(ReadError::CutShort);
    }
    if values.len() > characters {
        return Err(ReadError::Overlong);
    }
    let (known, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(ReadError::Damaged)?;
    if length > BYTES_MAX || rest != 0 || crc32(known) != u32::from_be_bytes(*sum) {
        return Err(ReadError::Damaged);
    }
    let inner = known.get(HEADER..).ok_or(ReadError::Damaged)?;
    if first >> 4 != VERSION {
        return Err(ReadError::UnknownVersion(first >> 4));
    }
    let tag = Tag(u32::from_be_bytes(*sum));
    Ok(Frame { flags: first & 15, inner: inner.to_vec(), tag, text: in_letters(&bytes) })
}

/// Pours numbers of `from` bits each into numbers of `to` bits each, most significant bit first; what is left over comes second.
pub(super) fn pour(values: &[u8], from: u32, to: u32) -> (Vec<u8>, u8) {
    let (mut out, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for value in values {
        held = held << from | u32::from(*value);
        bits += from;
        while bits >= to {
            bits -= to;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    (out, held as u8)
}

/// The same, with the last number filled up with zero bits.
pub(super) fn pour_up(values: &[u8], from: u32, to: u32) -> Vec<u8> {
    let (mut out, rest) = pour(values, from, to);
    let bits = values.len() as u32 * from % to;
    if bits > 0 {
        out.push(rest << (to - bits));
    }
    out
}

fn in_letters(bytes: &[u8]) -> String {
    let letters = pour_up(bytes, 8, 5).into_iter().map(|value| char::from(ALPHABET[usize::from(value & 31)]));
    PREFIX.chars().chain(letters).collect()
}

/// Characters that chats, mails and people put in between.
fn is_silent(sign: char) -> bool {
    matches!(
        sign,
        '-' | '\t'..='\r' | ' ' | '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}'
    )
}

fn value(sign: char) -> Option<u8> {
    let sign = match sign.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    };
    let at = ALPHABET.iter().position(|known| char::from(*known) == sign)?;
    u8::try_from(at).ok()
}

/// CRC-32 as in Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_catalogues() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn bits_keep_their_order() {
        assert_eq!(pour_up(&[0b1_0000, 0b0_0001], 5, 8), [0b1000_0000, 0b0100_0000]);
        assert_eq!(pour(&[0xff, 0x01], 8, 5), (vec![31, 28, 0], 1));
    }
}
