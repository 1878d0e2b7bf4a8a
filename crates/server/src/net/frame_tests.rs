#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

const LIMITS: MessageLimits = MessageLimits { bytes: 1000, fragments: 4 };

/// An [`Event`] that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

#[test]
fn a_whole_frame_is_handed_out_without_holding_memory() {
    let mut decoder = Decoder::default();
    let mut bytes = frame(true, 1, "grüße".as_bytes());
    let step = decoder.next(&mut bytes, LIMITS).unwrap();
    assert_eq!(step.event, Some(Event::Text("grüße")));
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn an_unfinished_message_holds_memory_until_it_is_handed_out() {
    let mut decoder = Decoder::default();
    let mut bytes = frame(true, 2, &[7; 900]);
    let (first, second) = bytes.split_at_mut(500);
    assert_eq!(decoder.next(first, LIMITS).unwrap().event, None);
    assert!(decoder.is_mid_message() && decoder.held_bytes() >= 490);
    assert_eq!(decoder.next(second, LIMITS).unwrap().event, Some(Event::Binary(&[7; 900])));
    decoder.settle();
    assert!(!decoder.is_mid_message() && decoder.held_bytes() == 0);
}

#[test]
fn memory_follows_what_arrived_and_not_what_was_announced() {
    let limits = MessageLimits { bytes: 1 << 30, fragments: 4 };
    let mut decoder = Decoder::default();
    let mut bytes = [&[0x82, 0xff, 0, 0, 0, 0, 0x20, 0, 0, 0, 1, 2, 3, 4], [0; 50].as_slice()].concat();
    assert_eq!(decoder.next(&mut bytes, limits).unwrap().used, 64);
    assert!(decoder.held_bytes() < 1000);
}

#[test]
fn headers_are_those_of_an_independent_library() {
    use tungstenite::protocol::frame::FrameHeader;
    use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
    let kinds = [
        (Kind::Text, OpCode::Data(Data::Text)),
        (Kind::Binary, OpCode::Data(Data::Binary)),
        (Kind::Ping, OpCode::Control(Control::Ping)),
        (Kind::Pong, OpCode::Control(Control::Pong)),
    ];
    for payload in [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000] {
        for (kind, opcode) in kinds {
            let mut header = FrameHeader { opcode, ..FrameHeader::default() };
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            put_header(&mut ours, kind.opcode(), payload);
            header.format(payload as u64, &mut theirs).unwrap();
            assert_eq!(ours, theirs);
            assert_eq!(frame_len(payload), theirs.len() + payload);
            for cut in 0..=theirs.len() {
                let whole = (cut == theirs.len()).then_some(theirs.len() + payload);
                assert_eq!(first_frame_len(&theirs[..cut]), whole);
            }
            header.mask = Some([1, 2, 3, 4]);
            theirs.clear();
            header.format(payload as u64, &mut theirs).unwrap();
            for cut in 0..=theirs.len() {
                let read = Frame::parse(&theirs[..cut]).unwrap();
                let read = read.map(|(frame, header)| (frame.opcode as u8, frame.mask, frame.left, header));
                let whole = (Incoming::of(kind.opcode()).unwrap() as u8, [1, 2, 3, 4], payload, theirs.len());
                assert_eq!(read, (cut == theirs.len()).then_some(whole));
            }
        }
    }
}

#[test]
fn control_frames_may_come_between_fragments() {
    let bytes =
        [frame(false, 1, b"one "), frame(true, 9, b"ping"), frame(false, 0, b""), frame(true, 0, b"two")].concat();
    assert_eq!(decode_all(&bytes, &[]).unwrap(), [Said::Ping(b"ping".into()), Said::Text("one two".into())]);
}

#[test]
fn a_character_may_be_split_between_fragments() {
    let bytes = [frame(false, 1, b"\xe2\x82"), frame(true, 0, b"\xac")].concat();
    assert_eq!(decode_all(&bytes, &[]).unwrap(), [Said::Text("€".into())]);
}

#[test]
fn every_violation_is_named() {
    let unmasked = [0x81, 1, b'a'].to_vec();
    let reserved = with_first_byte(frame(true, 1, b"a"), 0xc1);
    let too_many = [frame(false, 1, b""), frame(false, 0, b"").repeat(4)].concat();
    for (bytes, violation, code) in [
        (unmasked, Violation::Unmasked, 1002),
        (reserved, Violation::ReservedBit, 1002),
        (frame(true, 3, b""), Violation::UnknownOpcode, 1002),
        (frame(true, 11, b""), Violation::UnknownOpcode, 1002),
        (frame(false, 9, b""), Violation::BadControl, 1002),
        (frame(true, 9, &[0; 126]), Violation::BadControl, 1002),
        (frame(true, 0, b""), Violation::BadContinuation, 1002),
        ([frame(false, 1, b""), frame(true, 1, b"")].concat(), Violation::BadContinuation, 1002),
        (frame(true, 8, b"\x03"), Violation::BadClose, 1002),
        (frame(true, 8, &1005u16.to_be_bytes()), Violation::BadClose, 1002),
        (frame(true, 8, b"\x03\xe8\xff"), Violation::BadUtf8, 1007),
        (frame(true, 1, b"\xff"), Violation::BadUtf8, 1007),
        (frame(true, 1, b"\xe2\x82"), Violation::BadUtf8, 1007),
        (frame(true, 2, &[0; 1001]), Violation::TooBig, 1009),
        ([frame(false, 2, &[0; 600]), frame(true, 0, &[0; 401])].concat(), Violation::TooBig, 1009),
        (too_many, Violation::TooManyFragments, 1009),
    ] {
        assert_eq!(decode_all(&bytes, &[]).unwrap_err(), violation);
        assert_eq!(decode_all(&bytes, &[1, 2, 5, 8]).unwrap_err(), violation, "in pieces");
        assert_eq!(violation.close_code(), code);
    }
}

#[test]
fn bad_text_fails_before_its_message_or_frame_is_complete() {
    let mut fragment = frame(false, 1, b"abc\xff");
    assert_eq!(Decoder::default().next(&mut fragment, LIMITS).unwrap_err(), Violation::BadUtf8);
    let mut whole = frame(true, 1, b"abc\xffdef");
    let n = whole.len() - 2;
    assert_eq!(Decoder::default().next(&mut whole[..n], LIMITS).unwrap_err(), Violation::BadUtf8);
}

#[test]
fn a_closing_frame_says_its_code() {
    assert_eq!(decode_all(&frame(true, 8, b""), &[]).unwrap(), [Said::Close(None)]);
    assert_eq!(decode_all(&frame(true, 8, b"\x0f\xa0bye"), &[]).unwrap(), [Said::Close(Some(4000))]);
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let mut out = Vec::new();
    put_close(&mut out, Some(4000), &"ä".repeat(100));
    assert_eq!(out[..4], [0x88, 2 + 122, 0x0f, 0xa0]);
    assert_eq!(std::str::from_utf8(&out[4..]).unwrap(), "ä".repeat(61));
    out.clear();
    put_close(&mut out, None, "unused");
    assert_eq!(out, [0x88, 0]);
}

#[test]
fn frame_lengths_agree_with_what_is_written() {
    for payload in [0, 125, 126, 65_535, 65_536] {
        let mut out = Vec::new();
        put_frame(&mut out, Kind::Binary, &vec![0; payload]);
        assert_eq!(out.len(), frame_len(payload));
        assert_eq!(first_frame_len(&out[..14.min(out.len())]), Some(out.len()));
    }
    assert_eq!(first_frame_len(&[0x81]), None);
}

proptest! {
    #[test]
    fn any_split_of_a_stream_decodes_to_the_same(
        said in proptest::collection::vec(any_said(), 0..8),
        cuts in proptest::collection::vec(proptest::collection::vec(0..40usize, 0..4), 8),
        splits in proptest::collection::vec(1..50usize, 0..60),
    ) {
        let bytes = encode(&said, &cuts);
        prop_assert_eq!(&decode_all(&bytes, &[]).unwrap(), &said);
        prop_assert_eq!(&decode_all(&bytes, &splits).unwrap(), &said);
        prop_assert_eq!(&decode_all(&bytes, &[1].repeat(bytes.len())).unwrap(), &said);
    }

    #[test]
    fn no_bytes_panic_or_hold_more_than_the_limit(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        splits in proptest::collection::vec(1..50usize, 0..10),
    ) {
        let whole = decode_all(&bytes, &[]);
        let pieces = decode_all(&bytes, &splits);
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn a_damaged_stream_decodes_the_same_in_pieces(
        said in proptest::collection::vec(any_said(), 1..6),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        splits in proptest::collection::vec(1..50usize, 0..20),
    ) {
        let mut bytes = encode(&said, &[vec![10, 0], vec![], vec![20]]);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        prop_assert_eq!(decode_all(&bytes, &[]), decode_all(&bytes, &splits));
    }

    #[test]
    fn unmasking_twice_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..100), mask: [u8; 4], cut in 0..100usize) {
        let mut whole = bytes.clone();
        unmask(&mut whole, mask, 0);
        let naive: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]).collect();
        prop_assert_eq!(&whole, &naive);
        let cut = cut.min(bytes.len());
        unmask(&mut whole[cut..], mask, cut);
        unmask(&mut whole[..cut], mask, 0);
        prop_assert_eq!(whole, bytes);
    }
}

/// Decodes a stream that arrives in pieces of these sizes, then all at once, up to its first
/// closing frame or violation. What was said before a violation does not count: when in pieces,
/// bad text may be noticed earlier.
fn decode_all(bytes: &[u8], splits: &[usize]) -> Result<Vec<Said>, Violation> {
    let mut decoder = Decoder::default();
    let mut said = Vec::new();
    let mut rest = bytes;
    let mut splits = splits.iter();
    while !rest.is_empty() {
        let n = splits.next().map_or(rest.len(), |n| *n.min(&rest.len()));
        let mut piece = rest[..n].to_vec();
        rest = &rest[n..];
        let mut at = 0;
        loop {
            let step = decoder.next(&mut piece[at..], LIMITS)?;
            at += step.used;
            match step.event {
                None => break,
                Some(event) => said.push(owned(&event)),
            }
            if matches!(said.last(), Some(Said::Close(_))) {
                return Ok(said);
            }
        }
        assert_eq!(at, piece.len());
        assert!(decoder.held_bytes() <= 2 * LIMITS.bytes + 600, "{}", decoder.held_bytes());
    }
    Ok(said)
}

fn owned(event: &Event<'_>) -> Said {
    match *event {
        Event::Text(text) => Said::Text(text.into()),
        Event::Binary(bytes) => Said::Binary(bytes.into()),
        Event::Ping(bytes) => Said::Ping(bytes.into()),
        Event::Pong(bytes) => Said::Pong(bytes.into()),
        Event::Close(code) => Said::Close(code),
    }
}

fn any_said() -> impl Strategy<Value = Said> {
    prop_oneof![
        3 => "\\PC{0,60}".prop_map(Said::Text),
        1 => "\\PC{250}".prop_map(Said::Text),
        2 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(Said::Binary),
        1 => proptest::collection::vec(any::<u8>(), 0..125).prop_map(Said::Ping),
        1 => proptest::collection::vec(any::<u8>(), 0..125).prop_map(Said::Pong),
    ]
}

/// A client's stream, in which the n-th message is cut at the n-th places.
fn encode(said: &[Said], cuts: &[Vec<usize>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, one) in said.iter().enumerate() {
        let (mut opcode, mut payload) = match one {
            Said::Text(text) => (1, text.as_bytes()),
            Said::Binary(payload) => (2, payload.as_slice()),
            Said::Ping(payload) => (9, payload.as_slice()),
            Said::Pong(payload) => (10, payload.as_slice()),
            Said::Close(_) => continue,
        };
        for cut in cuts.get(i).filter(|_| opcode < 8).into_iter().flatten() {
            let (head, tail) = payload.split_at(*cut.min(&payload.len()));
            bytes.extend(frame(false, opcode, head));
            (opcode, payload) = (0, tail);
        }
        bytes.extend(frame(true, opcode, payload));
    }
    bytes
}

/// A masked frame, as a client sends it.
fn frame(last: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x80 | opcode, 0x33, payload.len() as u8];
    let mut bytes = vec![u8::from(last) << 7 | opcode];
    match payload.len() {
        n @ 0..126 => bytes.push(0x80 | n as u8),
        n => {
            bytes.push(0xfe);
            bytes.extend((n as u16).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}

fn with_first_byte(mut bytes: Vec<u8>, first: u8) -> Vec<u8> {
    bytes[0] = first;
    bytes
}
