//! Names and the keys that speak for them, over restarts and power cuts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::peer::{Key, Refused};
use crate::support::{Identity, Peer, Wigwag, until};

#[tokio::test]
async fn a_name_belongs_to_its_first_key_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (key, p256, thief) = (Key::new(1), Key::p256(), Key::new(3));
    let names = [("alice@example.org", &key), ("bob@example.org", &p256)];
    for _ in 0..2 {
        let server = Wigwag::new().data(folder.path()).start().await;
        for (name, key) in names {
            let mut peer = Peer::enter(server.address, Identity::named(name, key)).await;
            let refused = Peer::try_enter(server.address, Identity::named(name, &thief)).await;
            assert_eq!(refused.unwrap_err(), Refused(4202));
            // A namespace is a world of its own.
            let elsewhere = Identity::named(name, &thief).namespace("elsewhere");
            assert_eq!(Peer::enter(server.address, elsewhere).await.id(), name);
            peer.send(&json!({"type": "bye"})).await;
        }
        assert_eq!(server.stop().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_name_moves_only_by_the_word_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new, extra) = (Key::new(1), Key::p256(), Key::new(3));
    let server = Wigwag::new().data(folder.path()).start().await;
    let mut alice = Peer::enter(server.address, Identity::named("alice@example.org", &old)).await;
    let mut laptop = Peer::enter(server.address, Identity::named("alice@example.org", &old).device("laptop")).await;
    let forged = alice.name_change(&extra, "rotate", &extra);
    assert_eq!(alice.refused(forged).await, 4200);
    let add = alice.name_change(&old, "add", &extra);
    alice.done(add).await;
    let mut phone = Peer::enter(server.address, Identity::named("alice@example.org", &extra).device("phone")).await;
    let rotate = alice.name_change(&old, "rotate", &new);
    alice.done(rotate).await;
    assert_eq!((alice.close_code().await, laptop.close_code().await), (4204, 4204));
    assert_eq!(phone.signal("alice@example.org", "still here").await, "delivered");
    drop(phone);
    assert_eq!(server.stop().await.code(), Some(0));

    let server = Wigwag::new().data(folder.path()).start().await;
    for (key, speaks) in [(&old, false), (&new, true), (&extra, true)] {
        let entered = Peer::try_enter(server.address, Identity::named("alice@example.org", key)).await;
        assert_eq!(entered.is_ok(), speaks);
    }
}

#[tokio::test]
async fn kill_nine_loses_no_acknowledged_name() {
    let folder = tempfile::tempdir().unwrap();
    let welcomed: Arc<Mutex<Vec<(u64, String)>>> = Arc::default();
    for round in 1..=2 {
        let server = Wigwag::new().data(folder.path()).limit("names_per_key", 0).start().await;
        let claimed = Arc::new(AtomicUsize::new(0));
        let claimers: Vec<_> = (0..6_u64)
            .map(|claimer| {
                let (welcomed, claimed, address) = (Arc::clone(&welcomed), Arc::clone(&claimed), server.address);
                tokio::spawn(async move {
                    let key = Key::new(claimer);
                    for i in 0.. {
                        let name = format!("n{round}-{i}@c{claimer}.example.org");
                        match Peer::try_enter(address, Identity::named(&name, &key)).await {
                            Ok(_) => welcomed.lock().unwrap().push((claimer, name)),
                            Err(why) => return assert_eq!(why, Refused::LOST),
                        }
                        claimed.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        until("some names to be claimed", async || claimed.load(Ordering::Relaxed) >= 60).await;
        server.kill().await;
        for claimer in claimers {
            claimer.await.unwrap();
        }
    }
    let server = Wigwag::new().data(folder.path()).limit("names_per_key", 0).start().await;
    let thief = Key::new(99);
    let welcomed = std::mem::take(&mut *welcomed.lock().unwrap());
    assert!(welcomed.len() >= 120);
    for (claimer, name) in welcomed {
        let refused = Peer::try_enter(server.address, Identity::named(&name, &thief)).await;
        assert_eq!(refused.unwrap_err(), Refused(4202), "{name}");
        Peer::enter(server.address, Identity::named(&name, &Key::new(claimer))).await;
    }
}
