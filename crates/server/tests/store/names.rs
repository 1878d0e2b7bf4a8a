use wigwag_server::store::{Claim, KeyChange, Store};
use wigwag_wire::Namespace;

use crate::support::{key, memory, name, ns, on_disk};

#[tokio::test]
async fn the_first_key_gets_the_name_and_keeps_it() {
    let dir = tempfile::tempdir().unwrap();
    for store in [memory(), on_disk(dir.path())] {
        assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
        assert_eq!(claim(&store, "bob", 1).await, Claim::Mine);
        assert_eq!(claim(&store, "bob", 2).await, Claim::Taken);
        assert_eq!(store.keys(&ns(), &name("bob")).await.unwrap(), [key(1)]);
    }
}

#[tokio::test]
async fn of_many_claims_at_once_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let claims: Vec<_> = (0..50)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { claim(&store, "bob", number).await })
        })
        .collect();
    let mut bound = 0;
    for claim in claims {
        match claim.await.unwrap() {
            Claim::Bound => bound += 1,
            other => assert_eq!(other, Claim::Taken),
        }
    }
    assert_eq!(bound, 1);
}

#[tokio::test]
async fn a_name_outlives_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
    store.close().await;
    let store = on_disk(dir.path());
    assert_eq!(claim(&store, "bob", 2).await, Claim::Taken);
    assert_eq!(claim(&store, "bob", 1).await, Claim::Mine);
}

#[tokio::test]
async fn namespaces_do_not_see_each_other() {
    let store = memory();
    let elsewhere = Namespace::new("work").unwrap();
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
    assert_eq!(store.claim(&elsewhere, &name("bob"), &key(2), 1).await, Ok(Claim::Bound));
    assert_eq!(store.names(&elsewhere, "", 10).await.unwrap()[0].keys, [key(2).to_string()]);
}

#[tokio::test]
async fn a_key_claims_only_so_many_names() {
    let store = memory();
    for text in ["a", "b"] {
        assert_eq!(store.claim(&ns(), &name(text), &key(1), 2).await, Ok(Claim::Bound));
    }
    assert_eq!(store.claim(&ns(), &name("c"), &key(1), 2).await, Ok(Claim::TooMany));
    assert_eq!(store.key_names(&ns(), &key(1)).await, Ok(2));
    assert_eq!(store.claim(&ns(), &name("a"), &key(1), 2).await, Ok(Claim::Mine));
    assert_eq!(store.claim(&ns(), &name("c"), &key(1), 0).await, Ok(Claim::Bound), "0 is no limit");
}

#[tokio::test]
async fn names_that_others_share_do_not_use_up_a_keys_share() {
    let store = memory();
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
    assert_eq!(store.add_key(&ns(), &name("bob"), &key(1), &key(9), 5).await, Ok(KeyChange::Done));
    assert_eq!(store.key_names(&ns(), &key(9)).await, Ok(0));
    assert_eq!(store.claim(&ns(), &name("victim"), &key(9), 1).await, Ok(Claim::Bound));
}

#[tokio::test]
async fn only_a_key_of_the_name_changes_its_keys() {
    let store = memory();
    let (ns, bob) = (ns(), name("bob"));
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
    assert_eq!(store.add_key(&ns, &bob, &key(2), &key(2), 5).await, Ok(KeyChange::NotBound));
    assert_eq!(store.rotate(&ns, &bob, &key(2), &key(3)).await, Ok(KeyChange::NotBound));
    assert_eq!(store.remove_key(&ns, &bob, &key(2), &key(1)).await, Ok(KeyChange::NotBound));
    assert_eq!(store.add_key(&ns, &name("nobody"), &key(1), &key(2), 5).await, Ok(KeyChange::NotBound));
    assert_eq!(store.keys(&ns, &bob).await.unwrap(), [key(1)]);
}

#[tokio::test]
async fn a_name_has_only_so_many_keys_and_is_free_without_any() {
    let store = memory();
    let (ns, bob) = (ns(), name("bob"));
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
    assert_eq!(store.add_key(&ns, &bob, &key(1), &key(2), 2).await, Ok(KeyChange::Done));
    assert_eq!(store.add_key(&ns, &bob, &key(1), &key(2), 2).await, Ok(KeyChange::Nothing));
    assert_eq!(store.add_key(&ns, &bob, &key(2), &key(3), 2).await, Ok(KeyChange::TooMany));
    assert_eq!(store.remove_key(&ns, &bob, &key(2), &key(3)).await, Ok(KeyChange::Nothing));
    assert_eq!(store.remove_key(&ns, &bob, &key(2), &key(1)).await, Ok(KeyChange::Done));
    assert_eq!(claim(&store, "bob", 1).await, Claim::Taken);
    assert_eq!(claim(&store, "bob", 2).await, Claim::Mine);
    assert_eq!(store.remove_key(&ns, &bob, &key(2), &key(2)).await, Ok(KeyChange::Done));
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
}

#[tokio::test]
async fn after_a_rotation_only_the_new_key_speaks() {
    let store = memory();
    let (ns, bob) = (ns(), name("bob"));
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
    assert_eq!(store.rotate(&ns, &bob, &key(1), &key(1)).await, Ok(KeyChange::Nothing));
    assert_eq!(store.rotate(&ns, &bob, &key(1), &key(2)).await, Ok(KeyChange::Done));
    assert_eq!(claim(&store, "bob", 1).await, Claim::Taken);
    assert_eq!(claim(&store, "bob", 2).await, Claim::Mine);

    // Onto a key that speaks for the name already: the old one goes, nothing is there twice.
    assert_eq!(store.add_key(&ns, &bob, &key(2), &key(3), 5).await, Ok(KeyChange::Done));
    assert_eq!(store.rotate(&ns, &bob, &key(2), &key(3)).await, Ok(KeyChange::Done));
    assert_eq!(store.keys(&ns, &bob).await.unwrap(), [key(3)]);
}

#[tokio::test]
async fn the_operator_moves_and_frees_names() {
    let store = memory();
    let (ns, bob) = (ns(), name("bob"));
    assert_eq!(claim(&store, "bob", 1).await, Claim::Bound);
    store.add_key(&ns, &bob, &key(1), &key(2), 5).await.unwrap();
    store.rebind(&ns, &bob, &key(7)).await.unwrap();
    assert_eq!(store.keys(&ns, &bob).await.unwrap(), [key(7)]);
    store.rebind(&ns, &name("new"), &key(7)).await.unwrap();
    assert_eq!(store.key_names(&ns, &key(7)).await, Ok(2));

    assert_eq!(store.release(&ns, &bob).await, Ok(true));
    assert_eq!(store.release(&ns, &bob).await, Ok(false));
    assert_eq!(store.key_names(&ns, &key(7)).await, Ok(1));
    assert_eq!(claim(&store, "bob", 3).await, Claim::Bound);
}

#[tokio::test]
async fn names_are_listed_page_by_page() {
    let store = memory();
    for text in ["d", "a", "c", "b", "e"] {
        claim(&store, text, 1).await;
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = store.names(&ns(), &after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        seen.extend(page.into_iter().map(|record| record.name));
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"].map(|text| name(text).to_string()));
}

#[tokio::test]
async fn when_a_name_was_seen_is_known_at_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let (ns, bob) = (ns(), name("bob"));
    assert_eq!(store.last_seen(&ns, &bob).await, Ok(None));
    claim(&store, "bob", 1).await;
    let created = store.last_seen(&ns, &bob).await.unwrap().unwrap();
    assert!(created > 1_700_000_000_000);
    store.touch_name(&ns, &bob);
    let touched = store.last_seen(&ns, &bob).await.unwrap().unwrap();
    assert!(touched >= created);
    store.close().await;

    let store = on_disk(dir.path());
    assert_eq!(store.last_seen(&ns, &bob).await, Ok(Some(touched)));
    let record = &store.names(&ns, "", 1).await.unwrap()[0];
    assert_eq!((record.created_ms, record.seen_ms), (created, touched));
}

async fn claim(store: &Store, text: &str, number: u8) -> Claim {
    store.claim(&ns(), &name(text), &key(number), 100).await.unwrap()
}
