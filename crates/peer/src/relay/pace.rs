//! How fast this peer may have data relayed: the account that the server keeps of it, kept here too.

use super::stream::HEADER_BYTES;
use crate::heard::LimitsHeard;
use crate::time::Moment;

/// Our clock is not the server's.
const SHARE: f64 = 0.9;
/// What a request costs beside its data.
const ENVELOPE_BYTES: u64 = 128;
/// What stands around a box in a frame, at most.
const FRAME_BYTES: u64 = 512;
/// Of a box: its header and its seal.
const BOX_BYTES: u64 = HEADER_BYTES as u64 + 16;
const CHUNK_BYTES: u64 = 16_384;
/// Smaller pieces than this are not worth it.
const CHUNK_LEAST: u64 = 256;

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// For each millisecond; `None` is no limit.
    rate: Option<f64>,
    burst: f64,
    have: f64,
}

/// The pace of a session, for all its connections.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    chunk: usize,
    bytes: Bucket,
    frames: Bucket,
    at: Moment,
    known: bool,
}

impl Pace {
    /// Most bytes of the stream in one box; 0: there is no relay.
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// The server said what it allows.
    pub fn told(&mut self, now: Moment, limits: &LimitsHeard) {
        let LimitsHeard {
            frame_bytes, frames_per_second, relay_bytes_per_second: rate, relay_bytes_burst: burst, ..
        } = *limits;
        let half = (frames_per_second > 0).then_some(frames_per_second as f64 / 2.0);
        let own = (limits.relay_frames_per_second > 0).then_some(limits.relay_frames_per_second as f64);
        let frames = half.into_iter().chain(own).reduce(f64::min);
        // A quarter of the burst leaves room for what is under way.
        let quarter = burst.max(4 * ENVELOPE_BYTES) / 4;
        let room = if frame_bytes > 0 { quarter.min(frame_bytes.saturating_sub(FRAME_BYTES)) } else { quarter };
        let chunk = CHUNK_BYTES.min((room * 3 / 4).saturating_sub(BOX_BYTES));
        self.chunk = if rate > 0 && chunk >= CHUNK_LEAST { chunk as usize } else { 0 };
        self.refill(now);
        self.bytes.set(Some(rate as f64), burst as f64, self.known);
        self.frames.set(frames, frames.map_or(0.0, |frames| (frames * 2.0).max(1.0 / SHARE)), self.known);
        (self.at, self.known) = (now, true);
    }

    /// After how many milliseconds the next box may go; 0: now.
    pub fn wait(&mut self, now: Moment) -> u64 {
        self.refill(now);
        self.bytes.lacks(cost(self.chunk) as f64).max(self.frames.lacks(1.0)).ceil() as u64
    }

    /// A box with so many bytes of the stream goes.
    pub fn spend(&mut self, now: Moment, bytes: usize) {
        self.refill(now);
        self.bytes.have -= cost(bytes) as f64;
        self.frames.have -= 1.0;
    }

    fn refill(&mut self, now: Moment) {
        let passed = (now - self.at) as f64;
        for bucket in [&mut self.bytes, &mut self.frames] {
            bucket.have = (bucket.have + bucket.rate.unwrap_or(0.0) * passed).min(bucket.burst);
        }
        self.at = self.at.max(now);
    }
}

impl Bucket {
    fn set(&mut self, per_second: Option<f64>, burst: f64, known: bool) {
        self.rate = per_second.map(|rate| rate * SHARE / 1_000.0);
        self.burst = burst * SHARE;
        self.have = if known { self.have.min(self.burst) } else { self.burst };
    }

    /// For how many milliseconds there is less than that.
    fn lacks(&self, want: f64) -> f64 {
        match self.rate {
            None => 0.0,
            // What never comes is looked for again after a while.
            Some(rate) if rate <= 0.0 => 60_000.0,
            Some(rate) => ((want.min(self.burst) - self.have) / rate).max(0.0),
        }
    }
}

/// What a box with so many bytes of the stream costs, at most.
fn cost(bytes: usize) -> u64 {
    ((bytes as u64 + BOX_BYTES) * 4).div_ceil(3) + ENVELOPE_BYTES + 96
}
