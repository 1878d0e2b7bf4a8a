//! The WebSocket frame decoder: however the bytes are cut into reads, it says the same, holds no more than its limits
//! allow, and reads back what it is given in good frames.

use wigwag_server::net::frame::{
    Decoder, Event, Kind, MessageLimits, Violation, first_frame_len, frame_len, put_frame,
};

/// What a control frame may carry.
const CONTROL_MAX: usize = 125;
/// What the decoder may hold besides the payloads themselves.
const OVERHEAD: usize = 512;

pub(crate) fn run(data: &[u8]) {
    let Some((&[bytes_max, fragments, cut], stream)) = data.split_first_chunk() else { return };
    // The limits grow faster than their byte, to reach all three forms of a length.
    let bytes = usize::from(bytes_max).pow(2) * 2;
    let limits = MessageLimits { bytes, fragments: u32::from(fragments) };
    let whole = decode(stream, stream.len().max(1), limits);
    assert_eq!(whole, decode(stream, 1, limits), "byte by byte");
    assert_eq!(whole, decode(stream, usize::from(cut) + 1, limits), "{} bytes at a time", usize::from(cut) + 1);
    for said in &whole.0 {
        comes_back(said, limits);
    }
}

/// An [`Event`] that outlives its buffer.
#[derive(Debug, PartialEq)]
enum Said {
    Data(Kind, Vec<u8>),
    Close(Option<u16>),
}

fn decode(stream: &[u8], read_bytes: usize, limits: MessageLimits) -> (Vec<Said>, Option<Violation>) {
    let mut decoder = Decoder::default();
    let mut said = Vec::new();
    for part in stream.chunks(read_bytes) {
        let mut part = part.to_vec();
        let mut at = 0;
        loop {
            let left = part.len() - at;
            let step = match decoder.next(&mut part[at..], limits) {
                Ok(step) => step,
                Err(violation) => return (said, Some(violation)),
            };
            assert!(step.used <= left, "it took more than there was");
            let (used, event) = (step.used, step.event.map(|event| owned(&event, limits)));
            at += used;
            let held_max = 2 * limits.bytes + 2 * CONTROL_MAX + OVERHEAD;
            assert!(decoder.held_bytes() <= held_max, "it holds {} bytes", decoder.held_bytes());
            match event {
                Some(event) => said.push(event),
                None => {
                    assert_eq!(used, left, "it wants more and left some");
                    break;
                }
            }
        }
        decoder.settle();
        assert!(decoder.is_mid_message() || decoder.held_bytes() == 0, "an idle decoder holds memory");
    }
    (said, None)
}

fn owned(event: &Event<'_>, limits: MessageLimits) -> Said {
    let (kind, payload, max) = match event {
        Event::Text(text) => (Kind::Text, text.as_bytes(), limits.bytes),
        Event::Binary(bytes) => (Kind::Binary, *bytes, limits.bytes),
        Event::Ping(bytes) => (Kind::Ping, *bytes, CONTROL_MAX),
        Event::Pong(bytes) => (Kind::Pong, *bytes, CONTROL_MAX),
        Event::Close(code) => return Said::Close(*code),
    };
    assert!(payload.len() <= max, "{} bytes where {max} are allowed", payload.len());
    Said::Data(kind, payload.to_vec())
}

/// Writes the message as a server does, turns the frame into a client's, and reads it.
fn comes_back(said: &Said, limits: MessageLimits) {
    let Said::Data(kind, payload) = said else { return };
    let mut frame = Vec::new();
    put_frame(&mut frame, *kind, payload);
    assert_eq!(frame.len(), frame_len(payload.len()));
    assert_eq!(first_frame_len(&frame), Some(frame.len()));
    // A mask of zeros changes no byte.
    frame[1] |= 0x80;
    let header = frame.len() - payload.len();
    frame.splice(header..header, [0; 4]);
    let (again, violation) = decode(&frame, frame.len(), limits);
    assert_eq!((again.as_slice(), violation), (std::slice::from_ref(said), None));
}
