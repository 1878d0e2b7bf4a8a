//! Sealed signaling: what two peers agree on, what the vectors say, and what becomes of everything that a server could do to it.
#![allow(clippy::unwrap_used)]

mod support;

use data_encoding::BASE64URL_NOPAD;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wigwag_peer::sealed::{
    CallId, Content, Description, DescriptionKind, Half, Made, Pair, Seal, Share, call_of, make_decline, make_hail,
    make_heed, read_decline, read_hail, read_heed,
};
use wigwag_peer::trust::{KeyMismatch, MemoryPins, Pins, Verified, check};
use wigwag_peer::{Dice, Identity, Signer};
use wigwag_testkit::spec::{page, vectors};
use wigwag_wire::{PeerId, PublicKey};

#[test]
fn two_peers_agree_on_a_secret_and_read_what_the_other_sealed() {
    for kinds in [[false, false], [true, false], [true, true]] {
        let (mut alice, mut bob) = parts(kinds).seals();
        for content in [offer("v=0"), bye("ended"), Content { candidates: Some(vec![None]), ..Content::default() }] {
            assert_eq!(bob.open(&alice.seal(&content).unwrap()), Some(content.clone()));
            assert_eq!(alice.open(&bob.seal(&content).unwrap()), Some(content));
        }
    }
}

#[test]
fn the_vectors_are_read_and_written_byte_for_byte() {
    let text = page("vectors/sealed.json");
    #[derive(serde::Deserialize)]
    struct Vectors<'a> {
        #[serde(borrow)]
        hail: Message<'a>,
        #[serde(borrow)]
        heed: Message<'a>,
        #[serde(borrow)]
        decline: Message<'a>,
        #[serde(borrow)]
        boxes: Vec<Boxed<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
        #[serde(default)]
        statement: String,
    }
    #[derive(serde::Deserialize)]
    struct Boxed<'a> {
        who: String,
        #[serde(borrow)]
        content: &'a RawValue,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let Vectors { hail, heed, decline, boxes } = serde_json::from_str(&text).unwrap();
    let all: Value = vectors("sealed.json");
    let (there, back) = (pair(&all["hailer"]["pair"]), pair(&all["heeder"]["pair"]));
    let asked = read_hail(&there, hail.data).unwrap();
    assert_eq!(asked.statement, hail.statement);
    let answered = read_heed(&back, heed.data, &asked).unwrap();
    assert_eq!(answered.statement, heed.statement);
    assert_eq!(read_decline(&back, decline.data, &asked).unwrap().1, "Not now.");
    let number = |who: &str, field: &str| all[who][field].as_u64().unwrap();
    let identity = |who: &str| Identity::ed25519(&test_secret(number(who, "test_key")));
    let share = |who: &str| Share::from_secret(&test_number(number(who, "share"))).unwrap();
    let (hailer, heeder) = (share("hailer"), share("heeder"));
    let made = make_hail(&identity("hailer"), &there, &asked.call, &hailer, asked.meta.as_deref()).unwrap();
    assert_eq!(made.data.get(), hail.data.get());
    assert_eq!(make_heed(&identity("heeder"), &back, &heeder, &asked).unwrap().data.get(), heed.data.get());
    let declined = make_decline(&identity("heeder"), &back, &asked, "Not now.").unwrap();
    assert_eq!(declined.get(), decline.data.get());
    let mut one = Seal::new(true, &hailer, &asked, &answered).unwrap();
    let mut two = Seal::new(false, &heeder, &asked, &answered).unwrap();
    for Boxed { who, content, data } in boxes {
        let (mine, theirs) = if who == "hailer" { (&mut one, &mut two) } else { (&mut two, &mut one) };
        let typed: Content = serde_json::from_str(content.get()).unwrap();
        assert_eq!(mine.seal(&typed).unwrap().get(), data.get());
        assert_eq!(theirs.open(data), Some(typed));
    }
}

#[test]
fn what_came_before_or_twice_or_in_another_call_or_back_to_its_sender_is_passed_over() {
    let (mut alice, mut bob) = parts([false; 2]).seals();
    let [one, two] = ["1", "2"].map(|why| alice.seal(&bye(why)).unwrap());
    assert_eq!(bob.open(&two), Some(bye("2")));
    assert_eq!(bob.open(&one), None);
    assert_eq!(bob.open(&two), None);
    let (_, mut other) = others().seals();
    let three = changed(&alice.seal(&bye("3")).unwrap(), "call", json!(other.call().as_str()));
    assert_eq!(other.open(&three), None);
    let four = alice.seal(&bye("4")).unwrap();
    assert_eq!(alice.open(&four), None);
}

#[test]
fn a_box_in_which_a_bit_is_another_does_not_open_and_the_next_one_does() {
    let (mut alice, mut bob) = parts([false; 2]).seals();
    let sealed = alice.seal(&offer("a=fingerprint")).unwrap();
    let fields: Value = serde_json::from_str(sealed.get()).unwrap();
    let bytes = BASE64URL_NOPAD.decode(fields["box"].as_str().unwrap().as_bytes()).unwrap();
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert_eq!(bob.open(&changed(&sealed, "box", json!(BASE64URL_NOPAD.encode(&other)))), None);
    }
    for (field, value) in [
        ("i", json!(0)),
        ("i", json!(1.5)),
        ("i", json!("1")),
        ("i", json!(9)),
        ("i", json!(u64::MAX)),
        ("box", json!("")),
        ("box", json!(7)),
        ("v", json!(2)),
        ("call", json!(null)),
    ] {
        assert_eq!(bob.open(&changed(&sealed, field, value)), None, "{field}");
    }
    for nothing in [json!(null), json!(7), json!("x"), json!([]), json!([1, "x", 1, "y"])] {
        assert_eq!(bob.open(&to_raw_value(&nothing).unwrap()), None, "{nothing}");
    }
    assert_eq!(bob.open(&sealed), Some(offer("a=fingerprint")));
    for odd in ["[]", "7", "null", "x", r#"{"description":7}"#] {
        assert_eq!(bob.open(&alice.seal_text(odd).unwrap()), None, "{odd}");
    }
    assert_eq!(bob.open(&alice.seal_text(r#"{"later":1,"bye":"x"}"#).unwrap()), Some(bye("x")));
}

#[test]
fn a_hail_is_good_for_the_two_that_it_is_between_and_for_nothing_that_was_changed() {
    let parts = parts([false; 2]);
    let (there, hail) = (parts.there(), &parts.hail.data);
    assert_eq!(read_hail(&there, hail).unwrap().meta.unwrap().get(), r#"{"2":1,"topic":"chess"}"#);
    let other = Share::new(&mut support::dice(99)).public();
    let key = Identity::new(&mut support::dice(98)).key().to_string();
    let call = CallId::new(&mut support::dice(97));
    for (field, value) in [
        ("share", json!(other)),
        ("call", json!(call.as_str())),
        ("key", json!(key)),
        ("meta", json!({"topic": "go"})),
        ("meta", json!(null)),
        ("signature", json!("x")),
        ("v", json!(2)),
        ("share", json!("AAAA")),
        ("call", json!("AAAA")),
    ] {
        assert!(read_hail(&there, &changed(hail, field, value)).is_none(), "{field}");
    }
    for pair in [
        Pair { from: "eve@example.org", ..there },
        Pair { to: "eve@example.org", ..there },
        Pair { device: "phone", ..there },
        Pair { namespace: "go", ..there },
    ] {
        assert!(read_hail(&pair, hail).is_none(), "{pair:?}");
    }
}

#[test]
fn what_a_hail_says_is_read_however_it_was_spaced_on_its_way() {
    let parts = parts([false; 2]);
    let spaced = parts.hail.data.get().replace(r#"{"2":1,"topic":"chess"}"#, r#"{ "topic": "chess", "2": 1.0 }"#);
    assert_ne!(spaced, parts.hail.data.get());
    assert!(read_hail(&parts.there(), &RawValue::from_string(spaced).unwrap()).is_some());
}

#[test]
fn a_heed_and_a_decline_answer_one_hail_and_no_other() {
    let parts = parts([false; 2]);
    let back = parts.back();
    let read = read_hail(&parts.there(), &parts.hail.data).unwrap();
    let decline = make_decline(&parts.bob, &back, &read, "Not now.").unwrap();
    assert_eq!(read_heed(&back, &parts.heed.data, &read).unwrap().share, parts.heed.half.share);
    let (key, reason) = read_decline(&back, &decline, &read).unwrap();
    assert_eq!((key, reason.as_str()), (parts.bob.key(), "Not now."));
    let another = Half { statement: format!("{} ", read.statement), ..read.clone() };
    assert!(read_heed(&back, &parts.heed.data, &another).is_none());
    assert!(read_decline(&back, &decline, &another).is_none());
    for reason in [json!("Never."), json!("x".repeat(257)), json!("a\nb"), json!(null)] {
        assert!(read_decline(&back, &changed(&decline, "reason", reason), &read).is_none());
    }
    let other = Share::new(&mut support::dice(96)).public();
    assert!(read_heed(&back, &changed(&parts.heed.data, "share", json!(other)), &read).is_none());
    let long = make_decline(&parts.bob, &back, &read, &format!("{}\nä{}", "x".repeat(254), "y".repeat(99))).unwrap();
    assert_eq!(read_decline(&back, &long, &read).unwrap().1, format!("{} ", "x".repeat(254)));
    let silent = make_decline(&parts.bob, &back, &read, "").unwrap();
    assert!(!silent.get().contains("reason") && read_decline(&back, &silent, &read).is_some());
}

#[test]
fn a_share_that_is_no_point_of_the_curve_makes_no_secret() {
    let parts = parts([false; 2]);
    let heed = Half { share: BASE64URL_NOPAD.encode(&[7; 65]), ..parts.heed.half.clone() };
    assert!(Seal::new(true, &parts.shares.0, &parts.hail.half, &heed).is_none());
}

#[test]
fn a_call_is_named_by_sixteen_bytes() {
    for (data, good) in [
        (json!({"call": "AAECAwQFBgcICQoLDA0ODw"}), true),
        (json!({"call": "AAECAwQFBgcICQoLDA0ODw=="}), false),
        (json!({"call": "AAECAwQFBgcICQoLDA0OD"}), false),
        (json!({"call": 7}), false),
        (json!(["AAECAwQFBgcICQoLDA0ODw"]), false),
        (json!(null), false),
    ] {
        assert_eq!(call_of(&to_raw_value(&data).unwrap()).is_some(), good, "{data}");
    }
}

#[test]
fn a_key_belongs_to_its_hash_and_to_a_name_if_it_was_the_first_or_was_told_beforehand() {
    let mut pins = MemoryPins::default();
    let [bob, eve] = [1, 2].map(|seed| Identity::new(&mut support::dice(seed)));
    let mut ask = |id: &str, key: PublicKey, expected: Option<PublicKey>| {
        check(&mut pins, "chess", &PeerId::new(id).unwrap(), &key, expected.as_ref())
    };
    let mismatch = |id: &str| Err(KeyMismatch { id: PeerId::new(id).unwrap(), key: eve.key() });
    let own = bob.id();
    assert_eq!(ask(own.as_str(), bob.key(), None), Ok(Verified::Key));
    assert_eq!(ask(own.as_str(), eve.key(), None), mismatch(own.as_str()));
    assert_eq!(ask("bob@example.org", bob.key(), None), Ok(Verified::First));
    assert_eq!(ask("bob@example.org", bob.key(), None), Ok(Verified::Pinned));
    assert_eq!(ask("bob@example.org", eve.key(), None), mismatch("bob@example.org"));
    assert_eq!(ask("bob@example.org", eve.key(), Some(eve.key())), mismatch("bob@example.org"));
    assert_eq!(ask("carol@example.org", eve.key(), Some(bob.key())), mismatch("carol@example.org"));
    assert_eq!(ask("dave@example.org", bob.key(), Some(bob.key())), Ok(Verified::Pinned));
    assert_eq!(ask("~abcdefghijklmnopqrst", eve.key(), None), Ok(Verified::Guest));
    assert_eq!(ask("~abcdefghijklmnopqrst", eve.key(), Some(eve.key())), Ok(Verified::Pinned));
    pins.pin("chess", &PeerId::new("bob@example.org").unwrap(), eve.key());
    let now = check(&mut pins, "chess", &PeerId::new("bob@example.org").unwrap(), &eve.key(), None);
    assert_eq!(now, Ok(Verified::Pinned));
    assert_eq!(check(&mut pins, "go", &PeerId::new("bob@example.org").unwrap(), &bob.key(), None), Ok(Verified::First));
}

#[test]
fn an_identity_is_made_again_of_its_secret() {
    let one = Identity::new(&mut support::dice(1));
    assert_eq!(Identity::ed25519(&one.secret()).key(), one.key());
    let two = Identity::p256(&test_number(1)).unwrap();
    assert_eq!(Identity::p256(&two.secret()).unwrap().key(), two.key());
    assert!(Identity::p256(&[0; 32]).is_none() && Identity::p256(&[255; 32]).is_none());
    for identity in [one, two] {
        let signature = identity.sign(b"a");
        assert!(wigwag_peer::verify(&identity.key(), b"a", &signature));
        assert!(!wigwag_peer::verify(&identity.key(), b"b", &signature));
    }
}

#[test]
fn both_kinds_of_keys_are_checked_as_the_vectors_say() {
    let all: Value = vectors("hello_signatures.json");
    for case in all["cases"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let good = PublicKey::parse(text("key"))
            .is_ok_and(|key| wigwag_peer::verify(&key, text("statement").as_bytes(), text("signature")));
        assert_eq!(good, case["ok"] == true, "{case}");
    }
}

/// A call of alice, who hails, and bob, who heeds.
struct Parts {
    bob: Identity,
    ids: [String; 2],
    hail: Made,
    heed: Made,
    shares: (Share, Share),
}

impl Parts {
    fn there(&self) -> Pair<'_> {
        let [from, to] = &self.ids;
        Pair { namespace: "chess", from, device: "laptop", to, to_device: "" }
    }

    fn back(&self) -> Pair<'_> {
        let [to, from] = &self.ids;
        Pair { namespace: "chess", from, device: "", to, to_device: "laptop" }
    }

    fn seals(&self) -> (Seal, Seal) {
        let (hail, heed) = (&self.hail.half, &self.heed.half);
        let seal = |hails, share| Seal::new(hails, share, hail, heed).unwrap();
        (seal(true, &self.shares.0), seal(false, &self.shares.1))
    }
}

fn parts(p256: [bool; 2]) -> Parts {
    made(p256, &mut support::dice(1))
}

fn others() -> Parts {
    made([false; 2], &mut support::dice(2))
}

fn made(p256: [bool; 2], dice: &mut Dice) -> Parts {
    let [alice, bob] = p256.map(|p256| {
        let fresh = Identity::new(dice);
        if p256 { Identity::p256(&fresh.secret()).unwrap() } else { fresh }
    });
    let ids = [&alice, &bob].map(|peer| peer.id().as_str().to_owned());
    let shares = (Share::new(dice), Share::new(dice));
    let there = Pair { namespace: "chess", from: &ids[0], device: "laptop", to: &ids[1], to_device: "" };
    let back = Pair { namespace: "chess", from: &ids[1], device: "", to: &ids[0], to_device: "laptop" };
    let meta = RawValue::from_string(r#"{"topic":"chess","2":1}"#.into()).unwrap();
    let hail = make_hail(&alice, &there, &CallId::new(dice), &shares.0, Some(&meta)).unwrap();
    let heed = make_heed(&bob, &back, &shares.1, &read_hail(&there, &hail.data).unwrap()).unwrap();
    Parts { bob, ids, hail, heed, shares }
}

fn pair(value: &Value) -> Pair<'_> {
    let text = |field: &str| value[field].as_str().unwrap_or_default();
    Pair {
        namespace: text("namespace"),
        from: text("from"),
        device: text("device"),
        to: text("to"),
        to_device: text("to_device"),
    }
}

fn changed(data: &RawValue, field: &str, value: Value) -> Box<RawValue> {
    let mut fields: Value = serde_json::from_str(data.get()).unwrap();
    fields[field] = value;
    to_raw_value(&fields).unwrap()
}

fn test_secret(n: u64) -> [u8; 32] {
    Sha256::digest(format!("wigwag test key {n}")).into()
}

/// The P-256 test key of a number: what is left by the order of the group less one, plus one. The hashes used here are below that.
fn test_number(n: u64) -> [u8; 32] {
    let mut number = test_secret(n);
    for byte in number.iter_mut().rev() {
        let (sum, over) = byte.overflowing_add(1);
        *byte = sum;
        if !over {
            break;
        }
    }
    number
}

fn offer(sdp: &str) -> Content {
    let description = Description { kind: DescriptionKind::Offer, sdp: sdp.into() };
    Content { description: Some(description), ..Content::default() }
}

fn bye(why: &str) -> Content {
    Content { bye: Some(why.into()), ..Content::default() }
}
