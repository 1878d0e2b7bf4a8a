//! Two real connections of this engine with each other, over the loopback.

use std::time::Duration;

use crate::support::{End, connect, soon, together, ufrag};
use bytes::Bytes;
use wigwag_rtc::{
    ChannelInit, Description, Error, MESSAGE_BYTES_MAX, Message, Path, Reason, Reliability, Settings, UNREAD_BYTES_MAX,
    UNSENT_BYTES_MAX,
};

#[tokio::test]
async fn texts_and_bytes_of_all_sizes_go_both_ways_on_the_channel_that_both_know() {
    let (ann, bob) = connected().await;
    for (from, to) in [(&ann, &bob), (&bob, &ann)] {
        for size in [2, 1_000, 65_536, MESSAGE_BYTES_MAX] {
            let bytes = Bytes::from(vec![7; size]);
            from.channel.send(bytes.clone()).await.unwrap();
            assert_eq!(soon(to.messages.lock().await.next()).await, Some(Message::Binary(bytes)));
            let text = "é".repeat(size / 2);
            from.channel.send(text.clone()).await.unwrap();
            assert_eq!(soon(to.messages.lock().await.next()).await, Some(Message::Text(text)));
        }
    }
}

#[tokio::test]
async fn either_side_opens_further_channels_and_closes_them_when_all_has_arrived() {
    let (mut ann, mut bob) = connected().await;
    let init = ChannelInit {
        ordered: false,
        reliability: Reliability::Retransmits(3),
        protocol: "p".to_owned(),
        ..ChannelInit::new("more")
    };
    for _ in 0..2 {
        let (channel, mut messages) = ann.connection.channel(init.clone()).await.unwrap();
        soon(channel.opened()).await.unwrap();
        let (theirs, mut heard) = bob.until_channel().await;
        assert_eq!((theirs.label(), theirs.init()), ("more", &init));
        theirs.send("hello").await.unwrap();
        assert_eq!(soon(messages.next()).await, Some("hello".into()));
        channel.send(vec![1; 100_000]).await.unwrap();
        channel.send("last").await.unwrap();
        channel.close().await;
        assert_eq!(soon(heard.next()).await.unwrap().len(), 100_000);
        assert_eq!(soon(heard.next()).await, Some("last".into()));
        assert_eq!(soon(heard.next()).await, None);
        assert_eq!(soon(messages.next()).await, None);
        assert_eq!(channel.send("late").await, Err(Error::Closed));
        (ann, bob) = (bob, ann);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let (ann, _bob) = connected().await;
    let size = MESSAGE_BYTES_MAX + 1;
    let refused = ann.channel.send(vec![0; size]).await.unwrap_err();
    assert_eq!(refused, Error::TooLarge { size, most: MESSAGE_BYTES_MAX });
    assert_eq!(refused.to_string(), "one message may have 262144 bytes, and this one has 262145");
    assert_eq!(ann.channel.send("").await, Err(Error::Empty));
    assert!(matches!(ann.connection.channel(ChannelInit::main()).await, Err(Error::Channel(_))));
    assert!(matches!(ann.connection.channel(ChannelInit::new("x".repeat(300))).await, Err(Error::Channel(_))));
    assert_eq!(ann.connection.describe(Description::answer("v=0\r\n")).await, Err(Error::Stale));
    assert!(matches!(ann.connection.describe(Description::offer("nonsense")).await, Err(Error::Description(_))));
    assert_eq!(ann.connection.offer(false).await, Err(Error::Nothing));
    ann.channel.send("still here").await.unwrap();
}

#[tokio::test]
async fn who_does_not_read_makes_the_other_wait_and_nothing_is_lost() {
    let (ann, bob) = connected().await;
    let sender = {
        let channel = ann.channel.clone();
        tokio::spawn(async move {
            for number in 0..500u32 {
                let mut bytes = vec![0; 32 * 1024];
                bytes[..4].copy_from_slice(&number.to_be_bytes());
                channel.send(bytes).await.unwrap();
            }
            channel.flushed().await;
            channel.unsent()
        })
    };
    // All that may wait anywhere on the way does, and no more is taken: the sender stands still with most of it unsent.
    let mut before = usize::MAX;
    while before != ann.channel.unsent() || before == 0 {
        before = ann.channel.unsent();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(!sender.is_finished());
    assert!(before <= UNSENT_BYTES_MAX + 3 * 1024 * 1024, "{before}");
    let mut messages = bob.messages.lock().await;
    for number in 0..500u32 {
        let Some(Message::Binary(bytes)) = soon(messages.next()).await else { panic!("it ended") };
        assert_eq!(bytes[..4], number.to_be_bytes());
    }
    assert_eq!(soon(sender).await.unwrap(), 0);
    const { assert!(UNREAD_BYTES_MAX < 500 * 32 * 1024 / 2) };
}

#[tokio::test]
async fn either_side_restarts_the_search_for_a_path_while_bytes_flow() {
    let (ann, bob) = connected().await;
    for (from, to) in [(&ann, &bob), (&bob, &ann)] {
        let before = ufrag(&from.connection.local_description().await.unwrap().unwrap());
        let offer = from.connection.offer(true).await.unwrap();
        assert_ne!(ufrag(&offer), before);
        from.channel.send("meanwhile").await.unwrap();
        let answer = to.connection.describe(offer).await.unwrap().unwrap();
        assert_eq!(from.connection.describe(answer).await, Ok(None));
        assert_eq!(soon(to.messages.lock().await.next()).await, Some("meanwhile".into()));
        to.channel.send("and after").await.unwrap();
        assert_eq!(soon(from.messages.lock().await.next()).await, Some("and after".into()));
    }
}

#[tokio::test]
async fn an_offer_takes_the_place_of_one_that_is_outstanding() {
    let (mut ann, mut bob) = (end().await, end().await);
    let dropped = ann.connection.offer(false).await.unwrap();
    let offer = bob.connection.offer(false).await.unwrap();
    let answer = ann.connection.describe(offer).await.unwrap().unwrap();
    assert_eq!(bob.connection.describe(answer.clone()).await, Ok(None));
    assert_eq!(ann.connection.describe(answer).await, Err(Error::Stale));
    assert_eq!(ufrag(&dropped), ufrag(&ann.connection.local_description().await.unwrap().unwrap()));
    together(&mut ann, &mut bob).await;

    // Later too, when both restart at once.
    let _ = ann.connection.offer(true).await.unwrap();
    let offer = bob.connection.offer(true).await.unwrap();
    let answer = ann.connection.describe(offer).await.unwrap().unwrap();
    assert_eq!(bob.connection.describe(answer).await, Ok(None));
    ann.channel.send("in step").await.unwrap();
    assert_eq!(soon(bob.messages.lock().await.next()).await, Some("in step".into()));
}

#[tokio::test]
async fn candidates_may_come_before_and_after_descriptions_and_as_nonsense() {
    let (mut ann, mut bob) = (end().await, end().await);
    let offer = ann.connection.offer(false).await.unwrap();
    let (offer, candidates) = taken_apart(&offer);
    bob.connection.candidates(candidates).await.unwrap();
    let nonsense = [
        "",
        "candidate:",
        "candidate:1 1 udp 1 0a.local 9 typ host",
        "candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype active",
    ];
    let nonsense = nonsense.map(|line| wigwag_rtc::Candidate {
        candidate: line.to_owned(),
        sdp_mid: None,
        sdp_m_line_index: None,
        username_fragment: None,
    });
    bob.connection.candidates(nonsense.to_vec()).await.unwrap();
    let answer = bob.connection.describe(offer).await.unwrap().unwrap();
    let (answer, candidates) = taken_apart(&answer);
    ann.connection.describe(answer).await.unwrap();
    ann.connection.candidates(candidates).await.unwrap();
    ann.connection.candidates(nonsense.to_vec()).await.unwrap();
    together(&mut ann, &mut bob).await;
}

#[tokio::test]
async fn an_end_is_heard_by_the_other_and_dropping_the_handle_is_one() {
    let (ann, mut bob) = connected().await;
    ann.connection.close().await;
    assert_eq!(bob.until_closed().await, Reason::Left);
    assert_eq!(soon(bob.messages.lock().await.next()).await, None);
    assert_eq!(bob.channel.send("late").await, Err(Error::Closed));
    assert_eq!(bob.connection.offer(true).await, Err(Error::Closed));

    let (ann, mut bob) = connected().await;
    drop(ann.connection);
    assert_eq!(bob.until_closed().await, Reason::Left);
}

#[tokio::test]
async fn numbers_say_that_the_path_is_direct() {
    let (ann, _bob) = connected().await;
    let stats = ann.connection.stats().await.unwrap();
    assert_eq!((stats.path, stats.local), (Some(Path::Direct), Some("host")));
}

async fn end() -> End {
    End::new(Settings::default()).await
}

async fn connected() -> (End, End) {
    let (mut ann, mut bob) = (end().await, end().await);
    connect(&mut ann, &mut bob).await;
    (ann, bob)
}

/// A description without its candidates, and these.
fn taken_apart(description: &Description) -> (Description, Vec<wigwag_rtc::Candidate>) {
    let (lines, rest): (Vec<_>, Vec<_>) = description.sdp.lines().partition(|line| line.starts_with("a=candidate:"));
    let candidates = lines.iter().map(|line| wigwag_rtc::Candidate {
        candidate: line.trim_start_matches("a=").to_owned(),
        sdp_mid: None,
        sdp_m_line_index: Some(0),
        username_fragment: Some(ufrag(description)),
    });
    let sdp = rest.iter().map(|line| format!("{line}\r\n")).collect();
    (Description { kind: description.kind, sdp }, candidates.collect())
}
