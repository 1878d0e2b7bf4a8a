//! The relay of last resort: boxes, records and seals by the vectors that browsers read, and links under seeded chance.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::link::{Side, limits};
use wigwag_peer::Moment;
use wigwag_peer::heard::{DeliveryHeard, LimitsHeard};
use wigwag_peer::relay::{
    Carrier, ChannelId, LinkOutput, Message, NotSent, Posted, Records, Silence, Stream, Told, Way,
};
use wigwag_peer::sealed::{Pair, Seal, Share, read_hail, read_heed};
use wigwag_testkit::spec::{page, vectors};

#[test]
fn boxes_are_read_and_written_as_the_vectors_say() {
    for case in list("relay.json", "boxes") {
        let bytes = hex(&case["hex"]);
        let mut stream = after_sending(4096);
        let taken = stream.take(Moment(0), &bytes).unwrap_or_else(|| panic!("{}", case["why"]));
        assert_eq!(taken.bytes, hex(&case["piece"]), "{}", case["why"]);
        assert_eq!(taken.cut, case["flags"].as_u64().unwrap() & 2 != 0, "{}", case["why"]);
        assert_eq!(stream.counts(), (case["ack"].as_u64().unwrap(), taken.bytes.len() as u64), "{}", case["why"]);
    }
    for case in list("relay.json", "bad_boxes") {
        assert_eq!(Stream::default().take(Moment(0), &hex(&case["hex"])), None, "{}", case["why"]);
    }
    let mut first = Stream::default();
    first.ask();
    let way = Way { chunk: 1_000, window: 1_000, lossy: true, patience: 2_000, cut: true };
    let cases = list("relay.json", "boxes");
    assert_eq!(first.pack(Moment(0), way, &mut || None).unwrap(), hex(&cases[1]["hex"]));
}

#[test]
fn streams_are_read_in_whatever_pieces_they_come_and_written_as_the_vectors_say() {
    for case in list("relay.json", "streams") {
        let (why, bytes, hails) = (&case["why"], hex(&case["hex"]), case["hails"] == true);
        for size in [1, 3, 7, bytes.len()] {
            let mut reader = Reader::new(!hails);
            for piece in bytes.chunks(size) {
                reader.take(piece).unwrap_or_else(|broken| panic!("{why}: {broken}"));
            }
            assert_eq!(json!(reader.reads), case["reads"], "{why} in pieces of {size}");
        }
        if case["written"] == true {
            assert_eq!(written(hails, case["reads"].as_array().unwrap()), bytes, "{why}");
        }
    }
    for case in list("relay.json", "bad_streams") {
        let mut reader = Reader::new(case["hails"] != true);
        assert!(reader.take(&hex(&case["hex"])).is_err(), "{}", case["why"]);
    }
}

#[test]
fn what_is_relayed_is_sealed_as_the_vectors_say() {
    #[derive(serde::Deserialize)]
    struct Vectors {
        sealed: Vec<Sealed>,
    }
    #[derive(serde::Deserialize)]
    struct Sealed {
        who: String,
        hex: String,
        data: Box<RawValue>,
    }
    let Vectors { sealed } = serde_json::from_str(&page("vectors/relay.json")).unwrap();
    let (mut hailer, mut heeder) = seals();
    for Sealed { who, hex, data } in sealed {
        let (mine, theirs) = if who == "hailer" { (&mut hailer, &mut heeder) } else { (&mut heeder, &mut hailer) };
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        assert_eq!(mine.seal_relayed(&bytes).unwrap().get(), data.get());
        assert_eq!(mine.open_relayed(&data), None, "back to its sender");
        assert_eq!(theirs.open(&data), None, "as a signal");
        assert_eq!(theirs.open_relayed(&data).as_deref(), Some(&bytes[..]));
        assert_eq!(theirs.open_relayed(&data), None, "twice");
    }
}

#[test]
fn who_hears_nothing_asks_and_then_says_so() {
    let mut side = Side::new(true, Some(&limits()));
    side.travel(0, Some(Carrier::Relay));
    let first = side.posts();
    assert_eq!((first.len(), first[0][0]), (1, 3), "an empty box that asks, from one without a direct path");
    side.posted(10, Posted::Acked(DeliveryHeard::Delivered));
    side.sleep_until(14_000);
    side.posts();
    side.sleep_until(29_000);
    assert!(side.posts().len() >= 2, "it asks again");
    assert!(!side.silences.contains(&Silence::Silent));
    side.sleep_until(31_000);
    assert_eq!(side.silences, [Silence::Silent]);
    let mut side = Side::new(true, Some(&limits()));
    side.travel(0, Some(Carrier::Relay));
    side.act(100, |link, pace, out| link.line(Moment(100), pace, false, out));
    side.sleep_until(4_000);
    assert_eq!(side.silences, [Silence::Offline]);
    let mut side = Side::new(true, Some(&limits()));
    side.travel(0, Some(Carrier::Relay));
    side.posted(10, Posted::Acked(DeliveryHeard::Absent));
    assert_eq!(side.silences, [Silence::Absent]);
}

#[test]
fn no_more_is_relayed_than_the_server_allows() {
    let told = LimitsHeard { relay_bytes_per_second: 10_000, relay_bytes_burst: 40_000, ..limits() };
    let mut side = Side::new(true, Some(&told));
    side.travel(0, Some(Carrier::Relay));
    side.act(0, |link, pace, out| {
        link.send(ChannelId(0), Message::Bytes(vec![7; 500_000])).unwrap();
        link.tick(Moment(0), pace, out);
    });
    let mut bytes = 0;
    for tenth in 0..600_u64 {
        side.sleep_until(tenth * 100);
        for packed in side.posts() {
            bytes += packed.len() as u64 * 4 / 3 + 128;
            // The other takes each at once.
            let mut ack = vec![0];
            let end = u64::from_be_bytes(packed[17..25].try_into().unwrap()) + packed.len() as u64 - 25;
            ack.extend([end, 2_000_000, 0].into_iter().flat_map(u64::to_be_bytes));
            side.act(tenth * 100, |link, pace, out| link.take(Moment(tenth * 100), pace, &ack, Carrier::Relay, out));
            side.posted(tenth * 100, Posted::Acked(DeliveryHeard::Delivered));
        }
        assert!(bytes <= 40_000 + tenth * 1_000 + 1_000, "{bytes} bytes after {tenth} tenths");
    }
    assert!(bytes > 400_000, "{bytes}: and not much less either");
}

#[test]
fn a_server_without_a_relay_is_asked_for_none() {
    let mut side = Side::new(true, None);
    side.travel(0, Some(Carrier::Relay));
    side.sleep_until(60_000);
    assert!(side.posts().is_empty());
    let mut side = Side::new(true, Some(&limits()));
    side.travel(0, Some(Carrier::Relay));
    side.posted(10, Posted::Refused { code: 4305, retry_after: None });
    assert!(side.out.contains(&LinkOutput::Refused));
}

#[test]
fn channels_have_bounds_and_what_is_beyond_them_is_refused() {
    let mut records = Records::new(true);
    assert_eq!(records.open(&"x".repeat(200), &"y".repeat(56)), Err(NotSent::TooLarge));
    assert_eq!(records.open("x\0", ""), Err(NotSent::BadLabel));
    assert_eq!(records.send(ChannelId(0), Message::Bytes(vec![0; 1_048_577])), Err(NotSent::TooLarge));
    assert_eq!(records.send(ChannelId(2), Message::Bytes(vec![])), Err(NotSent::Closed));
    for at in 0..16 {
        assert_eq!(records.send(ChannelId(0), Message::Bytes(vec![0; 1_048_576])), Ok(()), "{at}");
    }
    assert_eq!(records.send(ChannelId(0), Message::Bytes(vec![0])), Err(NotSent::Full));
    for _ in 0..256 {
        records.open("x", "").unwrap();
    }
    assert_eq!(records.open("x", ""), Err(NotSent::Full));
    records.close(ChannelId(2));
    assert_eq!(records.send(ChannelId(2), Message::Bytes(vec![])), Err(NotSent::Closed));
}

#[test]
fn no_bytes_of_a_hostile_peer_panic() {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..3_000 {
        let mut bytes = vec![0; (dice.next_u64() % 64) as usize];
        dice.fill_bytes(&mut bytes);
        // Mostly small numbers, so that more than the first look is taken.
        for byte in bytes.iter_mut().filter(|byte| **byte % 3 > 0) {
            *byte %= 7;
        }
        let mut stream = after_sending(100);
        let _ = stream.take(Moment(0), &bytes);
        let mut told = Vec::new();
        let _ = Records::new(true).take(&bytes, &mut told);
    }
}

/// What a side reads of a stream, as the vectors write it.
struct Reader {
    records: Records,
    labels: BTreeMap<ChannelId, String>,
    reads: Vec<Value>,
}

impl Reader {
    fn new(hails: bool) -> Self {
        let labels = BTreeMap::from([(ChannelId(0), "wigwag".to_owned())]);
        Self { records: Records::new(hails), labels, reads: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), wigwag_peer::relay::Broken> {
        let mut told = Vec::new();
        let taken = self.records.take(bytes, &mut told);
        for told in told {
            self.reads.push(match told {
                Told::Open { channel, label, protocol } => {
                    self.labels.insert(channel, label.clone());
                    match protocol.as_str() {
                        "" => json!({"open": label}),
                        protocol => json!({"open": label, "protocol": protocol}),
                    }
                }
                Told::Message { channel, message: Message::Text(text) } => {
                    json!({"on": self.labels[&channel], "text": text})
                }
                Told::Message { channel, message: Message::Bytes(bytes) } => {
                    json!({"on": self.labels[&channel], "hex": HEXLOWER.encode(&bytes)})
                }
                Told::Close(channel) => json!({"close": self.labels[&channel]}),
            });
        }
        taken
    }
}

/// What a side writes that does this, each before the next.
fn written(hails: bool, acts: &[Value]) -> Vec<u8> {
    let mut records = Records::new(hails);
    let mut channels = BTreeMap::from([("wigwag".to_owned(), ChannelId(0))]);
    let mut bytes = Vec::new();
    for act in acts {
        let text = |field: &str| act[field].as_str().map(str::to_owned);
        if let Some(label) = text("open") {
            let channel = records.open(&label, act["protocol"].as_str().unwrap_or_default()).unwrap();
            channels.insert(label, channel);
        } else if let Some(label) = text("close") {
            records.close(channels[&label]);
        } else {
            let message = match text("text") {
                Some(text) => Message::Text(text),
                None => Message::Bytes(hex(&act["hex"])),
            };
            records.send(channels[&text("on").unwrap()], message).unwrap();
        }
        while let Some(record) = records.pull() {
            bytes.extend(record);
        }
    }
    bytes
}

fn after_sending(bytes: usize) -> Stream {
    let mut stream = Stream::default();
    let mut more = Some(vec![0; bytes]);
    let way = Way { chunk: 32_768, window: u64::MAX, lossy: true, patience: 2_000, cut: false };
    stream.pack(Moment(0), way, &mut || more.take());
    stream
}

fn list(file: &str, field: &str) -> Vec<Value> {
    vectors::<Value>(file)[field].as_array().unwrap().clone()
}

fn hex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// The seals of both sides of the call of `sealed.json`.
fn seals() -> (Seal, Seal) {
    #[derive(serde::Deserialize)]
    struct Vectors {
        hail: Data,
        heed: Data,
    }
    #[derive(serde::Deserialize)]
    struct Data {
        data: Box<RawValue>,
    }
    let Vectors { hail, heed } = serde_json::from_str(&page("vectors/sealed.json")).unwrap();
    let all: Value = vectors("sealed.json");
    let pair = |who: &str, field: &str| all[who]["pair"][field].as_str().unwrap_or_default().to_owned();
    let pairs = ["hailer", "heeder"]
        .map(|who| ["namespace", "from", "device", "to", "to_device"].map(|field| pair(who, field)));
    let [there, back] = pairs.each_ref().map(|[namespace, from, device, to, to_device]| Pair {
        namespace,
        from,
        device,
        to,
        to_device,
    });
    let asked = read_hail(&there, &hail.data).unwrap();
    let answered = read_heed(&back, &heed.data, &asked).unwrap();
    let share = |n: u64| {
        let mut number: [u8; 32] = Sha256::digest(format!("wigwag test key {n}")).into();
        number[31] = number[31].wrapping_add(1);
        Share::from_secret(&number).unwrap()
    };
    (Seal::new(true, &share(1), &asked, &answered).unwrap(), Seal::new(false, &share(2), &asked, &answered).unwrap())
}
