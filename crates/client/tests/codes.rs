//! Two programs meet by codes that a person carries, and no server is there.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tokio::time::timeout;
use wigwag::{
    Builder, Codes, Connection, ConnectionState, Identity, Loopback, MemoryPins, Message, Path, PeerId, Pins, Signer,
    Verified, Wigwag,
};

#[tokio::test]
async fn two_meet_by_codes_prove_their_keys_and_talk_until_one_of_them_ends_it() {
    let (ann, ben) = (Identity::ed25519(&[1; 32]), Identity::p256(&[2; 32]).unwrap());
    let (ours, theirs) = meet(&codes(|builder| builder.identity(ann)), &codes(|builder| builder.identity(ben))).await;
    let (ann, ben) = (Identity::ed25519(&[1; 32]), Identity::p256(&[2; 32]).unwrap());
    assert_eq!((ours.peer(), ours.key(), ours.verified()), (&ben.id(), Some(&ben.key()), Verified::Key));
    assert_eq!((theirs.peer(), theirs.key(), theirs.verified()), (&ann.id(), Some(&ann.key()), Verified::Key));
    assert_eq!((ours.finder(), theirs.finder()), ("code".into(), "code".into()));
    assert_eq!(ours.path(), Some(Path::Direct));
    let messages = [Message::from("text"), vec![1, 2, 3].into(), Message::json(&[1]).unwrap()];
    for message in &messages {
        theirs.send(message.clone()).await.unwrap();
    }
    for message in &messages {
        assert_eq!(soon(ours.recv()).await.as_ref(), Some(message));
    }
    let channel = ours.channel("files").await.unwrap();
    channel.send("through it").await.unwrap();
    let accepted = soon(theirs.accept_channel()).await.unwrap();
    assert_eq!((accepted.label(), soon(accepted.recv()).await), ("files", Some("through it".into())));
    soon(ours.close()).await;
    assert_eq!(soon(theirs.closed()).await.reason, "left");
    assert_eq!((ours.state(), theirs.state()), (ConnectionState::Closed, ConnectionState::Closed));
}

#[tokio::test]
async fn who_has_no_key_is_a_guest_and_a_name_is_believed_where_it_is_pinned() {
    let name = PeerId::new("ben@example.org").unwrap();
    let mut pins = MemoryPins::default();
    pins.pin("", &name, Identity::ed25519(&[2; 32]).key());
    let named = |builder: Builder| builder.identity(Identity::ed25519(&[2; 32])).name("ben@example.org");
    let (ours, theirs) = meet(&codes(|builder| builder.guest().pins(pins)), &codes(named)).await;
    assert_eq!((ours.peer(), ours.verified()), (&name, Verified::Pinned));
    assert_eq!((theirs.key(), theirs.verified()), (None, Verified::Guest));
    assert!(theirs.peer().as_str().starts_with('~'));
    ours.send("from a guest").await.unwrap();
    assert_eq!(soon(theirs.recv()).await, Some("from a guest".into()));
    // The last handle is gone: that is the end for the other, too.
    drop(ours);
    assert_eq!(soon(theirs.closed()).await.reason, "left");
}

#[tokio::test]
async fn a_mistake_in_a_code_is_told_and_leaves_the_offer_as_it_was() {
    let (ann, ben) = (codes(|builder| builder), codes(|builder| builder));
    let mut offer = ann.offer().await.unwrap();
    let reason = |answer: Result<Connection, wigwag::CodeError>| answer.unwrap_err().reason();
    let short = &offer.code()[..offer.code().len() - 3].to_owned();
    assert_eq!(reason(offer.complete(short).await), "cut_short");
    let own = offer.code().to_owned();
    assert_eq!(reason(offer.complete(&own).await), "not_an_answer");
    assert_eq!(ann.answer(&own).await.unwrap_err().reason(), "own_code");
    let other = ann.offer().await.unwrap();
    let elsewhere = ben.answer(other.code()).await.unwrap();
    assert_eq!(reason(offer.complete(elsewhere.code()).await), "other_offer");
    let answer = ben.answer(offer.code()).await.unwrap();
    let code = answer.code().to_lowercase();
    let (ours, theirs) = soon(async { tokio::join!(offer.complete(&code), answer.opened()) }).await;
    assert_eq!(reason(offer.complete(&code).await), "answered");
    let (_ours, _theirs) = (ours.unwrap(), theirs.unwrap());
}

#[tokio::test]
async fn only_who_has_the_key_that_was_expected_will_do() {
    let (ann, ben) = (codes(|builder| builder), codes(|builder| builder));
    let mut offer = ann.offer().await.unwrap().key(Identity::ed25519(&[9; 32]).key());
    let answer = ben.answer(offer.code()).await.unwrap();
    let code = answer.code().to_owned();
    let (ours, _) = soon(async { tokio::join!(offer.complete(&code), answer.opened()) }).await;
    assert_eq!(ours.unwrap_err().reason(), "key_mismatch");
}

#[tokio::test]
async fn who_is_of_another_world_is_refused() {
    let (ann, ben) = (codes(|builder| builder.namespace("chess")), codes(|builder| builder.namespace("go")));
    let mut offer = ann.offer().await.unwrap();
    let answer = ben.answer(offer.code()).await.unwrap();
    let code = answer.code().to_owned();
    let (ours, theirs) = soon(async { tokio::join!(offer.complete(&code), answer.opened()) }).await;
    let reasons = [ours.unwrap_err().reason(), theirs.unwrap_err().reason()];
    assert!(reasons.contains(&"key_mismatch"), "{reasons:?}");
}

async fn meet(ann: &Codes, ben: &Codes) -> (Connection, Connection) {
    let mut offer = ann.offer().await.unwrap();
    let answer = ben.answer(offer.code()).await.unwrap();
    let code = answer.code().to_owned();
    let (ours, theirs) = soon(async { tokio::join!(offer.complete(&code), answer.opened()) }).await;
    (ours.unwrap(), theirs.unwrap())
}

fn codes(how: impl FnOnce(Builder) -> Builder) -> Codes {
    how(Wigwag::builder().loopback(Loopback::Only)).codes().unwrap()
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.expect("waited too long")
}
