//! Offer and answer codes: any text, and any bytes behind a right header and checksum, are read or refused. What is read has
//! one form, keeps its bounds, and its description makes the same code again.

use wigwag_discovery::code::{BYTES_MAX, CANDIDATES_MAX, Code, Kind, SDP_BYTES_MAX};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TEXT_BYTES_MAX: usize = 2 + (BYTES_MAX * 8).div_ceil(5);

pub(crate) fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
        written(text);
    }
    if data.len() <= BYTES_MAX - 6 {
        check(&framed(data));
    }
}

/// A code that is read is the same however it is looked at.
fn check(text: &str) {
    let Ok(code) = Code::read(text) else { return };
    assert!(code.as_str().len() <= TEXT_BYTES_MAX && code.sdp().len() <= SDP_BYTES_MAX, "beyond its bounds");
    assert_eq!(Code::read(code.as_str()).as_ref(), Ok(&code), "not the same again");
    match code.kind() {
        Kind::Offer => assert!(Code::read_offer(text).is_ok() && Code::read_answer(text, code.tag()).is_err()),
        Kind::Answer(offer) => assert!(Code::read_answer(text, offer).is_ok() && Code::read_offer(text).is_err()),
    }
    let Some(description) = code.description() else { return };
    assert!(description.candidates.len() <= CANDIDATES_MAX);
    let sdp = code.sdp();
    assert!(sdp.lines().all(|line| line.is_ascii() && line.as_bytes().get(1) == Some(&b'=')), "a line of another kind");
    written(&sdp);
}

/// A code that is made of a description can be read, and what it gives back makes the same one.
fn written(sdp: &str) {
    let Ok(code) = Code::offer(sdp) else { return };
    assert_eq!(Code::read(code.as_str()).as_ref(), Ok(&code), "it cannot read what it writes");
    if code.description().is_some() {
        assert_eq!(Code::offer(&code.sdp()).as_ref(), Ok(&code), "no fixed point");
    }
}

/// A text of the first byte and the body that the fuzzer made, with the length and the checksum that belong to them.
fn framed(data: &[u8]) -> String {
    let (first, body) = data.split_first().unwrap_or((&0, &[]));
    let length = u16::try_from(body.len() + 7).unwrap_or(u16::MAX);
    let mut bytes = vec![0x10 | first & 15];
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    let sum = bytes.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    });
    bytes.extend((!sum).to_be_bytes());
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let letters =
        (0..(bytes.len() * 8).div_ceil(5)).map(|letter| (0..5).fold(0, |value, at| value << 1 | bit(letter * 5 + at)));
    std::iter::once("WW".to_owned())
        .chain(letters.map(|value| char::from(ALPHABET[usize::from(value)]).to_string()))
        .collect()
}
