//! Two well-behaved peers whose signals must flow on, whatever others do meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::{Identity, Peer, connect_from, until};

/// Signals from one to the other, one after the other, until it is told to stop.
#[derive(Debug)]
pub struct Traffic {
    arrived: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// Where the two come from: not where the tests' own clients do.
const HERE: [u8; 4] = [127, 99, 0, 1];

impl Traffic {
    pub async fn start(to: SocketAddr) -> Self {
        let mut alice = Peer::over(connect_from(HERE, to).await, Identity::guest(), None).await.unwrap();
        let mut bob = Peer::over(connect_from(HERE, to).await, Identity::guest(), None).await.unwrap();
        let (arrived, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, told) = (Arc::clone(&arrived), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            // Well below the rate that a socket may have.
            let mut pace = interval(Duration::from_millis(40));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let to = bob.id().to_owned();
            for i in 0_u64.. {
                pace.tick().await;
                if told.load(Ordering::Relaxed) {
                    return;
                }
                assert_eq!(alice.signal(&to, i).await, "delivered");
                assert_eq!(bob.next("signal").await["data"], i);
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { arrived, stop, task }
    }

    /// Waits until some more signals have come through, each in its turn.
    pub async fn flows(&self) {
        let before = self.arrived.load(Ordering::Relaxed);
        until("the others' signals", async || {
            let arrived = self.arrived.load(Ordering::Relaxed);
            arrived >= before + 3 || self.task.is_finished()
        })
        .await;
        assert!(!self.task.is_finished(), "the others were harmed");
    }

    /// The same, and then the two go.
    pub async fn unharmed(self) {
        self.flows().await;
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the others were harmed");
    }
}
