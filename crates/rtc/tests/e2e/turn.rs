//! Through a real TURN server. Where none is installed, nothing is tested.

use crate::support::turn::Turn;
use crate::support::{End, connect, exchange, soon, together};
use wigwag_rtc::{Event, IceServer, IceState, Message, Path, Policy, Settings};

#[tokio::test]
async fn two_that_only_relay_meet_over_udp_tcp_and_tls() {
    let Some(turn) = Turn::start().await else { return };
    for (ours, theirs) in [("udp", "udp"), ("tcp", "udp"), ("tls", "tls"), ("udp", "tls")] {
        let (mut ann, mut bob) = (relaying(&turn, ours).await, relaying(&turn, theirs).await);
        connect(&mut ann, &mut bob).await;
        for (from, to) in [(&ann, &bob), (&bob, &ann)] {
            for fill in 0..5 {
                from.channel.send(vec![fill; 200_000]).await.unwrap();
                let Some(Message::Binary(bytes)) = soon(to.messages.lock().await.next()).await else {
                    panic!("it ended")
                };
                assert!(bytes.len() == 200_000 && bytes.iter().all(|byte| *byte == fill));
            }
        }
        let stats = ann.connection.stats().await.unwrap();
        assert_eq!(
            (stats.path, stats.local, stats.remote.as_deref()),
            (Some(Path::Turn), Some("relay"), Some("relay"))
        );
    }
}

#[tokio::test]
async fn one_that_only_relays_meets_one_that_does_not_and_tells_no_address_of_its_own() {
    let Some(turn) = Turn::start().await else { return };
    let (mut ann, mut bob) = (relaying(&turn, "udp").await, End::new(Settings::default()).await);
    let offer = ann.connection.offer(false).await.unwrap();
    let lines: Vec<_> = offer.sdp.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert!(lines.len() == 1 && lines[0].contains("typ relay raddr 0.0.0.0 rport 0"), "{lines:?}");
    let answer = bob.connection.describe(offer).await.unwrap().unwrap();
    ann.connection.describe(answer).await.unwrap();
    together(&mut ann, &mut bob).await;
    assert_eq!(ann.connection.stats().await.unwrap().path, Some(Path::Turn));
    assert_eq!(bob.connection.stats().await.unwrap().path, Some(Path::Turn));
}

#[tokio::test]
async fn when_the_server_is_gone_another_is_found_by_a_restart() {
    let (Some(mut turn), Some(other)) = (Turn::start().await, Turn::start().await) else { return };
    let (mut ann, mut bob) = (relaying(&turn, "udp").await, End::new(Settings::default()).await);
    connect(&mut ann, &mut bob).await;
    turn.kill();
    ann.until_ice(IceState::Disconnected).await;
    ann.connection.servers(vec![other.server("udp")]).await.unwrap();
    ann.until_gathered().await;
    let offer = ann.connection.offer(true).await.unwrap();
    let answer = bob.connection.describe(offer).await.unwrap().unwrap();
    ann.connection.describe(answer).await.unwrap();
    ann.until_ice(IceState::Connected).await;
    exchange(&ann, &bob).await;
}

#[tokio::test]
async fn wrong_credentials_and_servers_that_are_not_there_end_the_search_without_an_address() {
    let Some(turn) = Turn::start().await else { return };
    let wrong = IceServer { credential: Some("wrong".to_owned()), ..turn.server("udp") };
    let nobody = |url: &str| IceServer { urls: vec![url.to_owned()], ..turn.server("udp") };
    let servers =
        vec![wrong, nobody("turn:127.0.0.1:1?transport=tcp"), nobody("turns:localhost:1"), nobody("nonsense")];
    let settings = Settings { ice_servers: servers, policy: Policy::Relay, ..Settings::default() };
    let mut ann = End::new(settings).await;
    ann.connection.offer(false).await.unwrap();
    loop {
        match soon(ann.events.next()).await.unwrap() {
            Event::Gathered => break,
            Event::Candidate(candidate) => panic!("{candidate:?}"),
            _ => {}
        }
    }
    // A certificate that nobody vouches for is no server of ours.
    let settings = Settings { ice_servers: vec![turn.server("tls")], policy: Policy::Relay, ..Settings::default() };
    let mut ann = End::new(settings).await;
    ann.until_gathered().await;
    let offer = ann.connection.offer(false).await.unwrap();
    assert!(!offer.sdp.contains("a=candidate:"), "{}", offer.sdp);
}

/// One end that goes through the server alone, when it has an address there.
async fn relaying(turn: &Turn, transport: &str) -> End {
    let settings = Settings {
        ice_servers: vec![turn.server(transport)],
        policy: Policy::Relay,
        turn_roots: vec![turn.root.clone()],
        ..Settings::default()
    };
    let mut end = End::new(settings).await;
    end.until_gathered().await;
    end
}
