//! Two ends, put together by hand.

pub mod turn;

use std::time::Duration;

use wigwag_rtc::{
    Channel, ChannelInit, Description, Engine as _, Event, Events, IceState, Loopback, Messages, Native,
    PeerConnection, Reason, Settings,
};

pub struct End {
    pub connection: PeerConnection,
    pub events: Events,
    pub channel: Channel,
    pub messages: tokio::sync::Mutex<Messages>,
}

impl End {
    /// With nothing but the loopback.
    pub async fn new(settings: Settings) -> Self {
        let (connection, events) = Native.connect(Settings { loopback: Loopback::Only, ..settings });
        let (channel, messages) = connection.channel(ChannelInit::main()).await.unwrap();
        Self { connection, events, channel, messages: messages.into() }
    }

    pub async fn until_channel(&mut self) -> (Channel, Messages) {
        loop {
            match soon(self.events.next()).await {
                Some(Event::Channel(channel, messages)) => return (channel, messages),
                Some(Event::Closed(reason)) => panic!("{reason:?}"),
                other => drop(other.unwrap()),
            }
        }
    }

    pub async fn until_closed(&mut self) -> Reason {
        loop {
            if let Event::Closed(reason) = soon(self.events.next()).await.unwrap() {
                assert!(self.events.next().await.is_none());
                return reason;
            }
        }
    }

    pub async fn until_ice(&mut self, wanted: IceState) {
        while !matches!(soon(self.events.next()).await.unwrap(), Event::Ice(state) if state == wanted) {}
    }

    /// Waits until all addresses are found.
    pub async fn until_gathered(&mut self) {
        while !matches!(soon(self.events.next()).await.unwrap(), Event::Gathered) {}
    }
}

/// One offers, the other answers; all candidates stand in the descriptions.
pub async fn connect(ann: &mut End, bob: &mut End) {
    let offer = ann.connection.offer(false).await.unwrap();
    let answer = bob.connection.describe(offer).await.unwrap().unwrap();
    assert_eq!(ann.connection.describe(answer).await, Ok(None));
    together(ann, bob).await;
}

/// Waits until the channel of both is open, and says something on it.
pub async fn together(ann: &mut End, bob: &mut End) {
    for end in [&mut *ann, &mut *bob] {
        end.until_ice(IceState::Connected).await;
        soon(end.channel.opened()).await.unwrap();
    }
    exchange(ann, bob).await;
}

pub async fn exchange(ann: &End, bob: &End) {
    for (from, to) in [(ann, bob), (bob, ann)] {
        from.channel.send("hello").await.unwrap();
        assert_eq!(soon(to.messages.lock().await.next()).await, Some("hello".into()));
    }
}

pub fn ufrag(description: &Description) -> String {
    description.sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap().to_owned()
}

/// What comes within a time that no test should need.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.unwrap()
}
