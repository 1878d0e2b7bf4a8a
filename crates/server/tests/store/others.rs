use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use wigwag_server::store::Ban;

use crate::support::{key, memory, name, ns, on_disk};

#[tokio::test]
async fn bans_are_kept_changed_and_lifted() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let first = store.put_ban("203.0.113.0/24", None, "flood").await.unwrap();
    let second = store.put_ban("bob@example.org", Some(5_000), "spam").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(store.put_ban("203.0.113.0/24", Some(9_000), "calmer now").await, Ok(first));
    store.close().await;

    let store = on_disk(dir.path());
    let ban = |id, subject: &str, until_ms, reason: &str| Ban {
        id,
        subject: subject.into(),
        until_ms,
        reason: reason.into(),
    };
    assert_eq!(
        store.bans().await.unwrap(),
        [ban(first, "203.0.113.0/24", Some(9_000), "calmer now"), ban(second, "bob@example.org", Some(5_000), "spam")]
    );
    assert_eq!(store.delete_ban(first).await, Ok(true));
    assert_eq!(store.delete_ban(first).await, Ok(false));
    let third = store.put_ban("::1", None, "").await.unwrap();
    assert!(third > second, "ids are not used again");
}

#[tokio::test]
async fn a_secret_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let (tokens, salt) = (store.secret("tokens").await.unwrap(), store.secret("salt").await.unwrap());
    assert_ne!(tokens, salt);
    assert_ne!(tokens, [0; 32]);
    store.close().await;
    let store = on_disk(dir.path());
    assert_eq!(store.secret("tokens").await, Ok(tokens));
}

#[tokio::test]
async fn every_metric_is_there_from_the_start_and_counts() {
    let store = memory();
    let mut registry = Registry::default();
    store.metrics().register(&mut registry);
    store.claim(&ns(), &name("bob"), &key(1), 1).await.unwrap();
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in ["wigwag_store_writes_total 1", "wigwag_store_degraded 0", "wigwag_store_queue_depth 0"] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("wigwag_store_commit_seconds_count 1"), "{text}");
    assert!(text.contains("wigwag_store_errors_total{kind=\"full\"} 0"), "{text}");
}
