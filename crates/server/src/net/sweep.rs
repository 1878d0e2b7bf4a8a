//! One look at every socket per tick, instead of a timer per socket.
//!
//! Pings silent peers, closes those that stay silent or leave a message unfinished, cuts close
//! handshakes at their deadline, and rings for the ticks that some tasks asked for.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::time::{Instant, MissedTickBehavior};

use super::Closed;
use super::frame::Kind;
use super::handle::{Handle, flag};
use super::sockets::{SHARDS, Sockets};

/// Runs until the table is dropped.
pub(crate) async fn run<M: Send + 'static>(sockets: Weak<Sockets<M>>) {
    let Some(tick) = sockets.upgrade().map(|s| s.limits().tick) else {
        return;
    };
    let start = Instant::now();
    let mut interval = tokio::time::interval(tick);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let ticks = start.elapsed().as_nanos() / tick.as_nanos().max(1);
        for shard in 0..SHARDS {
            let Some(sockets) = sockets.upgrade() else {
                return;
            };
            sockets.set_tick(u32::try_from(ticks).unwrap_or(u32::MAX));
            sweep_shard(&sockets, shard);
            drop(sockets);
            tokio::task::yield_now().await;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Abort,
    Close(Closed),
    Ping,
}

fn sweep_shard<M: Send + 'static>(sockets: &Sockets<M>, shard: usize) {
    let limits = sockets.limits();
    let times = Times {
        now: sockets.tick(),
        ping: limits.ticks(limits.ping_every),
        idle: limits.ticks(limits.idle_timeout),
        close: limits.ticks(limits.close_timeout),
    };
    let mut due: Vec<(Due, Arc<Handle<M>>)> = Vec::new();
    sockets.each_in_shard(shard, |handle| {
        let flags = handle.flags();
        if flags & (flag::WANTS_TICK | flag::CLOSING) == flag::WANTS_TICK {
            handle.ring(flag::TICK);
        }
        if let Some(what) = times.look(flags, handle) {
            due.push((what, Arc::clone(handle)));
        }
    });
    let mut batch = sockets.batch();
    for (what, handle) in due {
        match what {
            Due::Abort => {
                sockets.metrics().close_timeouts.inc();
                handle.ring(flag::ABORT);
            }
            Due::Close(why) => {
                sockets.metrics().idle_closed.inc();
                let reason = match why {
                    Closed::Stalled => "message never finished",
                    _ => "nothing heard",
                };
                batch.begin_close(handle.id, Some(limits.idle_code), reason, why);
            }
            Due::Ping => {
                handle.set(flag::PINGED);
                batch.append(handle.id, Kind::Ping, b"");
            }
        }
    }
}

/// The times that a look compares with, in ticks.
struct Times {
    now: u32,
    ping: u32,
    idle: u32,
    close: u32,
}

impl Times {
    fn look<M>(&self, flags: u32, handle: &Handle<M>) -> Option<Due> {
        let since = |tick: u32| self.now.saturating_sub(tick);
        let silent = since(handle.last_read.load(Ordering::Relaxed));
        if flags & flag::CLOSING != 0 {
            return (silent > self.close && flags & flag::ABORT == 0).then_some(Due::Abort);
        }
        if flags & flag::PAUSED != 0 {
            return None;
        }
        let unfinished = flags & flag::UNFINISHED != 0;
        if unfinished && since(handle.unfinished_since.load(Ordering::Relaxed)) > self.idle {
            return Some(Due::Close(Closed::Stalled));
        }
        if silent > self.idle {
            return Some(Due::Close(Closed::Idle));
        }
        (silent > self.ping && flags & flag::PINGED == 0).then_some(Due::Ping)
    }
}
