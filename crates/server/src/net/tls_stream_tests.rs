#![allow(clippy::unwrap_used)]
use std::io::{Read, Write};

use proptest::prelude::*;
use rustls::HandshakeKind;
use rustls::version::TLS13;

use super::*;
use talk::{Talk, VERSIONS, client_config, noise, record_count};

#[path = "tls_stream_talk.rs"]
mod talk;

const SIZES: [usize; 9] = [1, 2, 100, 16_383, 16_384, 16_385, 40_000, 65_536, 200_000];

#[test]
fn messages_of_all_sizes_pass_both_ways_and_leave_nothing_behind() {
    for version in VERSIONS {
        let mut talk = Talk::open(version);
        assert_eq!(talk.server.held(), 0);
        for len in SIZES {
            let message = noise(len);
            talk.client_says(&message);
            assert_eq!(talk.server_hears(READ).unwrap(), message);
            talk.server_says(&message);
            assert_eq!(talk.client_hears(), message);
            assert_eq!(talk.server.held(), 0, "after {len} bytes");
        }
    }
}

#[test]
fn records_may_be_cut_anywhere() {
    for version in VERSIONS {
        let mut talk = Talk::open(version);
        let said = b"two records, the second of which is longer";
        talk.client_says(&said[..3]);
        talk.client_says(&said[3..]);
        let len = talk.wire.lock().to_server.len();
        talk.server_hears(READ).unwrap();
        for cut in 1..len {
            talk.client_says(&said[..3]);
            talk.client_says(&said[3..]);
            let rest = talk.wire.lock().to_server.split_off(cut);
            let mut heard = talk.server_hears(READ).unwrap();
            talk.wire.lock().to_server.extend(rest);
            heard.extend(talk.server_hears(READ).unwrap());
            assert_eq!(heard, said, "cut after {cut} of {len} bytes");
            assert_eq!(talk.server.held(), 0);
        }
    }
}

#[test]
fn a_peer_may_send_one_byte_at_a_time_from_the_first() {
    for version in VERSIONS {
        let mut talk = Talk::begin(&client_config(version));
        talk.wire.lock().at_once = 1;
        talk.shake_hands().unwrap();
        let message = noise(20_000);
        talk.client_says(&message);
        assert_eq!(talk.server_hears(READ).unwrap(), message);
        assert_eq!(talk.server.held(), 0);
    }
}

#[test]
fn a_kernel_may_take_one_byte_at_a_time() {
    for version in VERSIONS {
        let mut talk = Talk::begin(&client_config(version));
        talk.wire.lock().takes_at_once = 1;
        talk.shake_hands().unwrap();
        let message = noise(20_000);
        talk.server_says(&message);
        assert_eq!(talk.client_hears(), message);
        assert_eq!(talk.server.held(), 0);
    }
}

#[test]
fn what_has_no_room_in_a_buffer_waits_for_the_next() {
    for version in VERSIONS {
        let mut talk = Talk::open(version);
        for (room, len) in [(1, 300), (100, 40_000), (5_000, 100_000)] {
            let message = noise(len);
            // Many small records at once, then long ones.
            message.chunks(len / 20 + 1).for_each(|piece| talk.client_says(piece));
            talk.client_says(&message);
            assert_eq!(talk.server_hears(room).unwrap(), message.repeat(2), "{room} bytes at a time");
            assert_eq!(talk.server.held(), 0);
        }
    }
}

#[test]
fn one_who_does_not_read_holds_the_writer_back() {
    for version in VERSIONS {
        let mut talk = Talk::open(version);
        talk.wire.lock().takes = 1_000;
        let message = noise(300_000);
        let mut said = talk.try_to_say(&message).unwrap();
        assert!(0 < said && said <= WRITE, "{said} bytes");
        assert_eq!(talk.try_to_say(&message[said..]), None);
        assert!(talk.server.held() < WRITE + 4 * 64, "{} bytes are held", talk.server.held());
        assert!(talk.flush().is_pending());
        while said < message.len() {
            talk.wire.lock().takes = 10_000;
            said += talk.try_to_say(&message[said..]).unwrap_or_default();
            assert!(talk.server.held() < WRITE + 4 * 64, "{} bytes are held", talk.server.held());
        }
        talk.wire.lock().takes = usize::MAX;
        assert!(talk.flush().is_ready());
        assert_eq!(talk.client_hears(), message);
        assert_eq!(talk.server.held(), 0);
    }
}

#[test]
fn one_can_speak_while_the_other_is_not_through() {
    for version in VERSIONS {
        let mut talk = Talk::open(version);
        let message = noise(30_000);
        talk.client_says(&message);
        // Half of a record is there; then a whole one, for which the reader had no room.
        let rest = talk.wire.lock().to_server.split_off(10_000);
        let mut heard = talk.server_hears(READ).unwrap();
        talk.server_says(b"meanwhile");
        assert_eq!(talk.client_hears(), b"meanwhile");
        talk.wire.lock().to_server.extend(rest);
        heard.extend(talk.server_reads(&mut [0; 10]).unwrap().unwrap());
        talk.server_says(b"again");
        assert_eq!(talk.client_hears(), b"again");
        heard.extend(talk.server_hears(READ).unwrap());
        assert_eq!(heard, message);
        assert_eq!(talk.server.held(), 0);
    }
}

#[test]
fn a_goodbye_is_an_end_and_can_be_answered() {
    for version in VERSIONS {
        let mut talk = Talk::open(version);
        talk.client_says(b"the last word");
        talk.client.send_close_notify();
        talk.client_sends();
        talk.wire.lock().to_server.extend(b"behind the end");
        assert_eq!(talk.server_hears(READ).unwrap(), b"the last word");
        assert_eq!(talk.server_reads(&mut [0; 10]).unwrap(), Some(vec![]));
        talk.server_says(b"so be it");
        assert_eq!(talk.client_hears(), b"so be it");
        talk.server_shuts();
        assert_eq!(talk.client.reader().read(&mut [0; 10]).unwrap(), 0);
        assert_eq!(talk.server.held(), 0);
    }
}

#[test]
fn our_goodbye_is_told_and_the_peer_still_heard() {
    for version in VERSIONS {
        let mut talk = Talk::open(version);
        talk.server_says(b"good night");
        talk.server_shuts();
        assert_eq!(talk.client_hears(), b"good night");
        assert_eq!(talk.client.reader().read(&mut [0; 10]).unwrap(), 0);
        assert_eq!(talk.server_writes(b"more").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        talk.client_says(b"sleep well");
        assert_eq!(talk.server_hears(READ).unwrap(), b"sleep well");
        talk.client.send_close_notify();
        talk.client_sends();
        assert_eq!(talk.server_reads(&mut [0; 10]).unwrap(), Some(vec![]));
        assert_eq!(talk.server.held(), 0);
    }
}

#[test]
fn an_end_without_a_goodbye_is_an_error() {
    for version in VERSIONS {
        for cut in [false, true] {
            let mut talk = Talk::open(version);
            talk.client_says(b"whole");
            talk.client_says(b"perhaps");
            let mut wire = talk.wire.lock();
            wire.ended = true;
            if cut {
                wire.to_server.pop_back();
            }
            drop(wire);
            let heard = talk.server_reads(&mut [0; READ]).unwrap().unwrap();
            assert_eq!(heard, if cut { b"whole".as_slice() } else { b"wholeperhaps" });
            assert_eq!(talk.server_reads(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}

#[test]
fn garbage_is_an_error_of_which_the_peer_is_told() {
    let forged = [b"\x17\x03\x03\x00\x28".as_slice(), &[7; 40]].concat();
    let garbage = [b"GET / HTTP/1.1\r\n\r\n", forged.as_slice(), b"\x17\x03\x03\xff\xff", b"\x17\x03\x03\0\0\0"];
    for version in VERSIONS {
        for garbage in garbage {
            let mut talk = Talk::open(version);
            talk.client_says(b"first");
            talk.wire.lock().to_server.extend(garbage);
            assert_eq!(talk.server_reads(&mut [0; READ]).unwrap(), Some(b"first".to_vec()));
            assert_eq!(talk.server_reads(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert_eq!(talk.server_writes(b"?").unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert!(matches!(talk.client_receives(), Err(rustls::Error::AlertReceived(_))), "{garbage:?}");
            assert_eq!(talk.server.held(), 0);
        }
    }
}

#[test]
fn garbage_instead_of_a_handshake_is_an_error() {
    for garbage in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0; 100], b"\x16\x03\x01\xff\xff", b"\x17\x03\x03\x00\x01x"]
    {
        let mut talk = Talk::begin(&client_config(&TLS13));
        talk.wire.lock().to_server.extend(garbage);
        assert_eq!(
            talk.poll_handshake().map(Result::unwrap_err).map(|e| e.kind()),
            Poll::Ready(io::ErrorKind::InvalidData)
        );
        assert_eq!(
            talk.poll_handshake().map(Result::unwrap_err).map(|e| e.kind()),
            Poll::Ready(io::ErrorKind::InvalidData)
        );
    }
    let mut talk = Talk::begin(&client_config(&TLS13));
    talk.client_sends();
    let mut wire = talk.wire.lock();
    wire.to_server.pop_back();
    wire.ended = true;
    drop(wire);
    assert_eq!(
        talk.poll_handshake().map(Result::unwrap_err).map(|e| e.kind()),
        Poll::Ready(io::ErrorKind::UnexpectedEof)
    );
}

#[test]
fn a_handshake_that_does_not_end_takes_bounded_memory() {
    // A hello of 65,535 bytes, a few in each record.
    let hello = [b"\x01\x00\xff\xff".as_slice(), &[0; 65_535]].concat();
    for piece in [1, 100, 16_384] {
        let mut talk = Talk::begin(&client_config(&TLS13));
        let mut end = Poll::Pending;
        for piece in hello.chunks(piece) {
            let len = u16::try_from(piece.len()).unwrap().to_be_bytes();
            talk.wire.lock().to_server.extend([b"\x16\x03\x01", len.as_slice(), piece].concat());
            end = talk.poll_handshake();
            assert!(talk.server.held() <= 2 * HANDSHAKE, "{} bytes are held", talk.server.held());
            if end.is_ready() {
                break;
            }
        }
        assert_eq!(end.map(Result::unwrap_err).map(|e| e.kind()), Poll::Ready(io::ErrorKind::InvalidData));
    }
}

#[test]
fn new_keys_are_taken_and_answered_at_any_time() {
    let mut talk = Talk::open(&TLS13);
    for round in 0..40 {
        talk.client_says(b"before");
        talk.client.refresh_traffic_keys().unwrap();
        talk.client_says(b"after");
        let halves = talk.wire.lock().to_server.len() * round / 40;
        let rest = talk.wire.lock().to_server.split_off(halves);
        let mut heard = talk.server_hears(READ).unwrap();
        talk.wire.lock().to_server.extend(rest);
        heard.extend(talk.server_hears(READ).unwrap());
        assert_eq!(heard, b"beforeafter");
        talk.server_says(b"answer");
        assert_eq!(record_count(&talk.wire.lock().to_client), 2, "the answer to the keys, and ours");
        assert_eq!(talk.client_hears(), b"answer");
        assert_eq!(talk.server.held(), 0);
    }
}

#[test]
fn new_keys_without_end_are_an_error() {
    let mut talk = Talk::open(&TLS13);
    for _ in 0..100 {
        talk.client.refresh_traffic_keys().unwrap();
    }
    talk.client_sends();
    assert_eq!(talk.server_hears(READ).unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(talk.server.held(), 0);
}

#[test]
fn who_was_here_before_resumes() {
    for version in VERSIONS {
        let config = client_config(version);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut talk = Talk::begin(&config);
            talk.shake_hands().unwrap();
            assert_eq!(talk.client.handshake_kind(), Some(kind));
            assert_eq!(talk.client.alpn_protocol(), Some(b"http/1.1".as_slice()));
            talk.client_says(b"me again");
            assert_eq!(talk.server_hears(READ).unwrap(), b"me again");
            assert_eq!(talk.server.held(), 0);
        }
    }
}

#[test]
fn what_comes_with_the_end_of_the_handshake_is_heard() {
    for version in VERSIONS {
        let mut talk = Talk::begin(&client_config(version));
        talk.client.writer().write_all(b"at once").unwrap();
        talk.shake_hands().unwrap();
        assert_eq!(talk.server_hears(READ).unwrap(), b"at once");
        assert_eq!(talk.server.held(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever is changed on the way, what is heard was said, until an error.
    #[test]
    fn what_was_changed_on_the_way_is_not_heard(
        lens in proptest::collection::vec(1..20_000usize, 1..4),
        at in any::<proptest::sample::Index>(),
        change in 1..=255u8,
        at_once in prop_oneof![1..100usize, 1_000..70_000usize],
        tls13 in any::<bool>(),
        in_handshake in any::<bool>(),
    ) {
        let mut talk = Talk::begin(&client_config(VERSIONS[usize::from(tls13)]));
        talk.wire.lock().at_once = at_once;
        if in_handshake {
            talk.client_sends();
        } else {
            talk.shake_hands().unwrap();
        }
        let said = noise(lens.iter().sum());
        let mut rest = said.as_slice();
        for len in lens {
            talk.client_says(&rest[..len]);
            rest = &rest[len..];
        }
        let at = at.index(talk.wire.lock().to_server.len());
        talk.wire.lock().to_server[at] ^= change;
        if in_handshake && talk.shake_hands().is_err() {
            return Ok(());
        }
        let mut heard = Vec::new();
        while let Ok(Some(more)) = talk.server_reads(&mut [0; READ]) {
            heard.extend(more);
            prop_assert!(talk.server.held() <= 2 * (RECORD + READ));
        }
        prop_assert!(said.starts_with(&heard));
        prop_assert!(in_handshake || heard.len() < said.len());
    }
}
