//! As much of RFC 6455 as two well-behaved ends need: whole frames, one per message.

/// A text message.
pub const TEXT: u8 = 1;
/// The end.
pub const CLOSE: u8 = 8;
/// A question whether the other end is there.
pub const PING: u8 = 9;
/// Its answer.
pub const PONG: u8 = 10;

/// Where the parts of the first frame of a buffer are.
#[derive(Debug)]
pub struct Frame {
    /// What kind it is.
    pub opcode: u8,
    /// Where the mask starts, if there is one; the payload follows it.
    mask: Option<usize>,
    payload: usize,
    /// Where the next frame starts.
    pub end: usize,
}

impl Frame {
    /// The first frame of `buffer`, once all of it is there.
    pub fn first(buffer: &[u8]) -> Option<Self> {
        let (&first, &second) = (buffer.first()?, buffer.get(1)?);
        let (length, after) = match second & 127 {
            126 => (u64::from(u16::from_be_bytes(*buffer.get(2..)?.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*buffer.get(2..)?.first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        let mask = (second & 128 != 0).then_some(after);
        let payload: usize = after + if mask.is_some() { 4 } else { 0 };
        let end = payload.checked_add(usize::try_from(length).ok()?)?;
        (buffer.len() >= end).then_some(Self { opcode: first & 15, mask, payload, end })
    }

    /// The payload, unmasked where it stands.
    pub fn payload<'a>(&self, buffer: &'a mut [u8]) -> &'a [u8] {
        let key = self.mask.and_then(|at| buffer.get(at..)?.first_chunk::<4>().copied());
        let payload = buffer.get_mut(self.payload..self.end).unwrap_or_default();
        // A key of zeros changes nothing, and the load generator uses no other.
        if let Some(key) = key.filter(|key| *key != [0; 4]) {
            for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
                *byte ^= key;
            }
        }
        payload
    }
}

/// Appends a frame as a server writes it.
pub fn push(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    push_head(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a frame as a client writes it, with a mask of zeros.
pub fn push_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    push_head(out, opcode, payload.len(), 128);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

fn push_head(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(128 | opcode);
    if let Ok(length) = u8::try_from(length)
        && length < 126
    {
        out.push(masked | length);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(masked | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(masked | 127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn frames_of_every_length_come_back() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; length];
            for masked in [false, true] {
                let mut buffer = Vec::new();
                let push = if masked { push_masked } else { push };
                push(&mut buffer, TEXT, &payload);
                assert!(Frame::first(&buffer[..buffer.len() - 1]).is_none());
                let frame = Frame::first(&buffer).unwrap();
                assert_eq!((frame.opcode, frame.end), (TEXT, buffer.len()));
                assert_eq!(frame.payload(&mut buffer), payload);
            }
        }
    }

    #[test]
    fn a_mask_is_taken_off() {
        let mut buffer = vec![129, 131, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3];
        let frame = Frame::first(&buffer).unwrap();
        assert_eq!(frame.payload(&mut buffer), b"abc");
    }
}
