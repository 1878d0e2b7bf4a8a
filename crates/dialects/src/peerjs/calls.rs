//! What peers say to each other, and what becomes of it where nobody is there to hear it.

use std::sync::Arc;

use wigwag_hub::{Moment, Party};
use wigwag_wire::event::{Delivery, Presence};
use wigwag_wire::raw::Content;
use wigwag_wire::{PeerId, Refusal};

use super::Message;
use super::voice::{Relayed, kind};
use super::waiting::Secret;
use crate::json::frame;
use crate::turn::Turn;

/// Absent peers that one socket may be calling at once. Beyond that a call fails at once.
const CALLS: usize = 64;

/// The calls of one peer that nobody has taken yet.
pub(super) struct Calls {
    secret: Secret,
    open: Vec<Call>,
}

struct Call {
    to: PeerId,
    /// When it has failed.
    due: Moment,
    /// Whether what was said waits for the peer. If not, all that is left to do is to fail.
    kept: bool,
}

/// What is said to a peer.
#[derive(Clone, Copy)]
pub(super) struct Saying<'a> {
    pub(super) word: &'a str,
    pub(super) dst: &'a str,
    pub(super) payload: Option<Content<'a>>,
}

impl Calls {
    /// Goes on with the calls that the same peer made on a socket before this one.
    pub(super) fn adopt(turn: &Turn<'_>, party: &Party, secret: Secret) -> Self {
        let patience = patience(turn);
        let earlier = turn.dialects.peerjs.waiting.adopt(turn.now.at, party, secret).into_iter();
        let open = earlier.map(|(to, since)| Call { to, due: since + patience, kept: true }).collect();
        Self { secret, open }
    }

    /// Its socket is gone. What waits goes on waiting for as long as it would have.
    pub(super) fn abandon(self, turn: &Turn<'_>, party: &Party) {
        if self.open.iter().any(|call| call.kept) {
            turn.dialects.peerjs.waiting.abandon(party, patience(turn));
        }
    }

    /// When the next one fails.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.open.iter().map(|call| call.due).min()
    }

    /// Says something to a peer, or lets it wait for that peer.
    pub(super) fn say(&mut self, turn: &mut Turn<'_>, party: &Arc<Party>, saying: Saying<'_>) {
        let Saying { word, dst, payload } = saying;
        if PeerId::check(dst).is_err() {
            // Nobody can be called that.
            if word == "OFFER" {
                fail(turn, party, dst);
            }
            return;
        }
        let relayed = Relayed { r#type: word, src: party.id.as_str(), dst, payload };
        let written = relayed.written();
        let waits = !matches!(word, "LEAVE" | "EXPIRE");
        if let Some(place) = self.open.iter().position(|call| call.to.as_str() == dst) {
            let (to, kept) = (self.open[place].to.clone(), self.open[place].kept);
            if turn.hub.presence_of(turn.ns(), &to) == Presence::Gone {
                if kept && waits {
                    self.keep(turn, party, to, word, written);
                }
                return;
            }
            // It has come meanwhile.
            if kept || word == "OFFER" {
                self.open.remove(place);
            }
            if kept {
                self.flush(turn, party, to);
            }
        }
        let sent = send(turn, party, saying, &written);
        if !waits || matches!(sent, Ok(Some(Delivery::Delivered | Delivery::Stored) | None)) {
            return;
        }
        let Ok(to) = PeerId::new(dst) else { return };
        match sent {
            Ok(Some(Delivery::Absent)) => self.keep(turn, party, to, word, written),
            // It cost a miss that the sender may not have any more, or there was no room for it.
            Err(_) => self.fail_later(turn, to, 0),
            Ok(_) => {}
        }
    }

    /// Fails the calls that waited long enough.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>, party: &Arc<Party>) {
        while let Some(place) = self.open.iter().position(|call| call.due <= turn.now.at) {
            let Call { to, kept, .. } = self.open.remove(place);
            if kept {
                let frames = turn.dialects.peerjs.waiting.take_back(party, &to);
                if frames.is_empty() {
                    // The peer has taken them.
                    continue;
                }
                if turn.hub.presence_of(turn.ns(), &to) == Presence::Gone {
                    fail(turn, party, to.as_str());
                } else {
                    // It speaks another dialect: nobody took for it what waited.
                    self.send_all(turn, party, to, &frames);
                }
                continue;
            }
            match turn.hub.look_up(turn.now, turn.line.pass.origin(), &turn.visit.ns, &to) {
                Ok(_) => fail(turn, party, to.as_str()),
                // Whoever misses too often is told, but no more often than the others.
                Err(Refusal { retry_after, .. }) => self.fail_later(turn, to, retry_after.unwrap_or(0)),
            }
        }
    }

    /// Lets something wait for a peer that is absent.
    fn keep(&mut self, turn: &mut Turn<'_>, party: &Arc<Party>, to: PeerId, word: &str, written: String) {
        let is_new = !self.open.iter().any(|call| call.to == to);
        let has_room = !is_new || self.open.len() < CALLS;
        let (now, shared) = (turn.now.at, &turn.dialects.peerjs);
        let is_kept = has_room && shared.waiting.keep(now, party, self.secret, &to, written.into());
        match (is_new, is_kept) {
            (true, false) => {
                // Once is enough: its candidates are lost with it.
                if word == "OFFER" {
                    fail(turn, party, to.as_str());
                }
                return;
            }
            (true, true) => self.open.push(Call { to: to.clone(), due: now + patience(turn), kept: true }),
            (false, _) => {}
        }
        // It may have come after it was looked for, and have found nothing to take.
        if turn.hub.presence_of(turn.ns(), &to) != Presence::Gone {
            self.open.retain(|call| call.to != to);
            self.flush(turn, party, to);
        }
    }

    /// Sends what waits for a peer that is here.
    fn flush(&mut self, turn: &mut Turn<'_>, party: &Arc<Party>, to: PeerId) {
        let frames = turn.dialects.peerjs.waiting.take_back(party, &to);
        self.send_all(turn, party, to, &frames);
    }

    fn send_all(&mut self, turn: &mut Turn<'_>, party: &Arc<Party>, to: PeerId, frames: &[Box<str>]) {
        let mut is_lost = false;
        for written in frames {
            let Some(Message { kind, dst: Some(dst), payload }) = Message::read(written) else { continue };
            let saying = Saying { word: &kind, dst: &dst, payload };
            is_lost |= matches!(send(turn, party, saying, written), Ok(Some(Delivery::Absent)) | Err(_));
        }
        if is_lost {
            self.fail_later(turn, to, 0);
        }
    }

    fn fail_later(&mut self, turn: &Turn<'_>, to: PeerId, wait: u64) {
        if self.open.len() < CALLS && !self.open.iter().any(|call| call.to == to) {
            let due = turn.now.at + patience(turn).max(wait).max(1);
            self.open.push(Call { to, due, kept: false });
        }
    }
}

/// How long something waits, in milliseconds.
fn patience(turn: &Turn<'_>) -> u64 {
    turn.dialects.settings().peerjs.expire_timeout_ms
}

fn send(
    turn: &mut Turn<'_>,
    party: &Arc<Party>,
    saying: Saying<'_>,
    written: &str,
) -> Result<Option<Delivery>, Refusal> {
    let payload = saying.payload.unwrap_or(Content::NULL);
    turn.signal(party, saying.dst, kind(saying.word), payload, written)
}

/// Tells the caller that there is nobody.
fn fail(turn: &mut Turn<'_>, party: &Party, to: &str) {
    turn.answer(frame(&Relayed { r#type: "EXPIRE", src: to, dst: party.id.as_str(), payload: None }));
}
