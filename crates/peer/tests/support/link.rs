//! One side of what carries a connection, with a driver that remembers.

use wigwag_peer::Moment;
use wigwag_peer::heard::LimitsHeard;
use wigwag_peer::relay::{Carrier, Link, LinkOutput, Pace, Posted, Silence, Told};

/// One link with what it wanted.
pub(crate) struct Side {
    pub(crate) link: Link,
    pub(crate) pace: Pace,
    pub(crate) out: Vec<LinkOutput>,
    pub(crate) told: Vec<Told>,
    pub(crate) silences: Vec<Silence>,
}

impl Side {
    pub(crate) fn new(hails: bool, limits: Option<&LimitsHeard>) -> Self {
        let mut pace = Pace::default();
        if let Some(limits) = limits {
            pace.told(Moment(0), limits);
        }
        Self { link: Link::new(hails, true), pace, out: Vec::new(), told: Vec::new(), silences: Vec::new() }
    }

    pub(crate) fn act(&mut self, now: u64, act: impl FnOnce(&mut Link, &mut Pace, &mut Vec<LinkOutput>)) {
        let before = self.out.len();
        act(&mut self.link, &mut self.pace, &mut self.out);
        let due = self.link.next_deadline();
        assert!(due.is_none_or(|due| due.0 > now), "nothing stays due");
        for output in &self.out[before..] {
            if let LinkOutput::Silent(why) = output {
                self.silences.push(*why);
            }
        }
    }

    pub(crate) fn travel(&mut self, now: u64, by: Option<Carrier>) {
        self.act(now, |link, pace, out| link.travel(Moment(now), pace, by, false, out));
    }

    pub(crate) fn posted(&mut self, now: u64, posted: Posted) {
        self.act(now, |link, pace, out| link.posted(Moment(now), pace, posted, out));
    }

    pub(crate) fn posts(&mut self) -> Vec<Vec<u8>> {
        let posts = self.out.extract_if(.., |output| matches!(output, LinkOutput::Post(_)));
        posts
            .map(|output| match output {
                LinkOutput::Post(packed) => packed,
                _ => unreachable!(),
            })
            .collect()
    }

    /// Lets time pass.
    pub(crate) fn sleep_until(&mut self, end: u64) {
        while let Some(due) = self.link.next_deadline().filter(|due| due.0 <= end) {
            self.act(due.0, |link, pace, out| link.tick(due, pace, out));
        }
    }
}

/// What a generous server allows.
pub(crate) fn limits() -> LimitsHeard {
    LimitsHeard {
        frame_bytes: 65_536,
        frames_per_second: 100,
        frames_burst: 200,
        relay_bytes_per_second: 131_072,
        relay_bytes_burst: 524_288,
        relay_frames_per_second: 20,
        ..LimitsHeard::default()
    }
}
