//! Native programs in secret rooms over the running server, and what the server sees of them.

use serde_json::{Value, json};
use wigwag::{JoinOptions, Loopback, Mode, RoomEvent, Wigwag};

use crate::support::{Server, Wigwag as Serve, soon, until};

const SECRET: &str = "a secret that both of them know";

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_secret_room_understand_each_other_and_the_server_does_not() {
    let server = Serve::new().set("ice.stun", "").start().await;
    let (ann, bob, eve) = (open(&server).await, open(&server).await, open(&server).await);
    let options =
        || JoinOptions { me: Some(json!({"nick": "somebody"})), mode: Some(Mode::FreeForAll), ..Default::default() };
    let den = ann.join_secret(SECRET, "den", options()).await.unwrap();
    let other = bob.join_secret(SECRET, "den", options()).await.unwrap();
    // The server could do as much: it knows the name.
    let seen = eve.join(den.name()).await.unwrap();
    let mut heard = (other.events(), seen.events());
    let member = &other.view().members()[0];
    assert_eq!((member.id.as_str(), member.me.as_ref().unwrap().get()), (&*ann.id(), r#"{"nick":"somebody"}"#));
    until("both", async || den.view().members().len() == 1).await;
    den.say(&json!({"at": 81.5})).await.unwrap();
    let said = soon("a word", async {
        loop {
            if let Some(RoomEvent::Said { data, .. }) = heard.0.next().await {
                return data;
            }
        }
    });
    assert_eq!(said.await.get(), r#"{"at":81.5}"#);
    let boxed = soon("a box", async {
        loop {
            if let Some(RoomEvent::Said { data, .. }) = heard.1.next().await {
                return data;
            }
        }
    });
    let boxed: Value = serde_json::from_str(boxed.await.get()).unwrap();
    assert!(boxed["box"].is_string() && boxed["at"].is_null());
    den.set_state(&json!({"scene": 3})).await.unwrap();
    until("the state", async || other.view().state.is_some_and(|state| state.get() == r#"{"scene":3}"#)).await;
    assert!(seen.view().members().iter().all(|member| !member.me.as_ref().unwrap().get().contains("nick")));
    assert_eq!(other.view().members().len(), 1, "who does not know the secret is not there");
    let cy = open(&server).await;
    let late = cy.join_secret(SECRET, "den", options()).await.unwrap();
    until("the state for who comes late", async || late.view().state.is_some()).await;
    assert!(other.unopened() > 0 && late.view().members().len() == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_held_to_the_keys_that_they_show() {
    let server = Serve::new().set("ice.stun", "").start().await;
    let (ann, bob) = (guest(&server).await, guest(&server).await);
    let den = ann.join_secret(SECRET, "", JoinOptions::default()).await.unwrap();
    let _other = bob.join_secret(SECRET, "", JoinOptions::default()).await.unwrap();
    until("bob", async || den.view().members().len() == 1).await;
    let member = den.view().members().remove(0);
    let mut incoming = bob.incoming().await;
    let (theirs, ours) = soon("both", async { tokio::join!(incoming.connection(), ann.connect_to(&member)) }).await;
    assert_eq!((ours.unwrap().key(), theirs.unwrap().peer().as_str()), (member.key.as_ref(), &*ann.id()));
    let wrong = wigwag::Signer::key(&wigwag::Identity::ed25519(&[7; 32]));
    let refused = ann.connect(&bob.id()).key(wrong).into_future();
    let refused = soon("a refusal", async {
        tokio::select! {
            refused = refused => refused,
            _ = incoming.connection() => panic!("bob has another key"),
        }
    })
    .await;
    assert_eq!(refused.unwrap_err().reason(), "key_mismatch");
}

async fn open(server: &Server) -> Wigwag {
    builder(server).open().await.unwrap()
}

async fn guest(server: &Server) -> Wigwag {
    builder(server).guest().open().await.unwrap()
}

fn builder(server: &Server) -> wigwag::Builder {
    Wigwag::builder().server(server.address.to_string()).loopback(Loopback::Only)
}
