//! WebTorrent trackers: swarms whose members get each other's offers at random. Here is what a tracker does; how its clients write
//! things is in [`words`].

mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::code::Code;
use wigwag_wire::request::{SwarmAnnounce, SwarmOnly};
use wigwag_wire::{Event, PeerId, Refusal, Request, SwarmName};

use crate::dialect::own_frame;
use crate::json::{frame, read};
use crate::turn::{Begun, Interpreter, Turn};
use words::{Action, Announced, Answered, Counts, Failed, Happened, Message, Offered, Scraped, Twenty};

pub(crate) const TYPES: &[&str] = &["announce", "scrape", "other"];

/// Most peers of one socket: a client has one, and clients in the same page share their socket.
const PEERS_MAX: usize = 8;

/// Most swarms of one scrape.
const SCRAPE_MAX: usize = 512;

/// One socket.
#[derive(Default)]
pub(crate) struct Tracker {
    /// Those whom this socket announced. Each is in a swarm at least.
    peers: Vec<Peer>,
}

struct Peer {
    id: Twenty,
    party: Arc<Party>,
    /// The swarms it is in, and whether it has all of each. It never has less again, so that nobody can complete twice.
    swarms: BTreeMap<Twenty, bool>,
}

/// Why a request fails, in words for the client.
type Failure = std::borrow::Cow<'static, str>;

impl Interpreter for Tracker {
    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let message = read::<Message<'_>>(text);
        let action = message.as_ref().map(Message::action);
        turn.count(match action.flatten() {
            Some(Action::Announce) => "announce",
            Some(Action::Scrape) => "scrape",
            None => "",
        });
        // A client that cannot tell which action failed takes the whole tracker for broken.
        let (action, done, about) = match (&message, action) {
            (Some(message), Some(Some(Action::Announce))) => {
                (Action::Announce, self.announce(turn, message), message.info_hash())
            }
            (Some(message), Some(Some(Action::Scrape))) => (Action::Scrape, self.scrape(turn, message), None),
            (Some(_), _) => (Action::Announce, Err("the action must be announce or scrape".into()), None),
            (None, _) => (Action::Announce, Err("this is not a good JSON object".into()), None),
        };
        if let Err(reason) = done {
            let info_hash = about.map(|swarm| swarm.text());
            turn.answer(frame(&Failed { action, info_hash, reason: &reason }));
        }
    }
}

impl Tracker {
    fn announce(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) -> Result<(), Failure> {
        let swarm = message.info_hash().ok_or("invalid info_hash")?;
        let id = message.peer_id().ok_or("invalid peer_id")?;
        let happened = message.happened().ok_or("invalid event")?;
        let answer = message.answer()?;
        let offers = message.offers().ok_or("invalid offers")?;
        if happened == Happened::Stopped {
            self.stop(turn, &id, &swarm);
            tell_counts(turn, &swarm);
            return Ok(());
        }
        let complete = message.has_all() || happened == Happened::Completed;
        let party = self.join(turn, &id, &swarm, complete)?;
        if let Some((to, offer_id, answer)) = answer {
            pass_answer(turn, &party, (&id, &swarm), (&to, &offer_id), answer);
            return Ok(());
        }
        tell_counts(turn, &swarm);
        let most = match turn.hub.rules().limits.swarm_want {
            0 => usize::MAX,
            most => usize::try_from(most).unwrap_or(usize::MAX),
        };
        let want = offers.len().min(message.want()).min(most);
        if want == 0 {
            return Ok(());
        }
        let (peer_id, info_hash) = (id.text(), swarm.text());
        for (offer, to) in offers.iter().zip(turn.hub.draw(&party, &name(&swarm), want)) {
            let passed = Offered {
                action: Action::Announce,
                offer: offer.offer,
                offer_id: &offer.offer_id.text(),
                peer_id: &peer_id,
                info_hash: &info_hash,
            };
            let passed = serde_json::to_string(&passed).unwrap_or_default();
            // Who cannot be reached just now gets none.
            let _ = turn.signal(&party, to.id.as_str(), "offer", offer.offer, &passed);
        }
        Ok(())
    }

    /// Puts a peer into a swarm. Its session begins with its first swarm.
    fn join(
        &mut self,
        turn: &mut Turn<'_>,
        id: &Twenty,
        swarm: &Twenty,
        complete: bool,
    ) -> Result<Arc<Party>, Failure> {
        let at = match self.peers.iter().position(|peer| peer.id == *id) {
            Some(at) => at,
            None => self.begin(turn, id)?,
        };
        let peer = &mut self.peers[at];
        let party = peer.party.clone();
        let known = peer.swarms.get(swarm).copied();
        let complete = complete || known.unwrap_or(false);
        if known == Some(complete) {
            return Ok(party);
        }
        let announce = SwarmAnnounce { swarm: name(swarm), want: 0, complete };
        match turn.request(&party, &Request::SwarmAnnounce(announce)) {
            Ok(()) => {
                peer.swarms.insert(*swarm, complete);
                Ok(party)
            }
            Err(refusal) => {
                self.end_if_idle(turn, at);
                Err(refusal.message)
            }
        }
    }

    fn begin(&mut self, turn: &mut Turn<'_>, id: &Twenty) -> Result<usize, Failure> {
        if self.peers.len() >= PEERS_MAX {
            turn.refused(Code::TooManySessions);
            return Err("this socket speaks for as many peers as it may".into());
        }
        match turn.begin(peer(id), None) {
            Begun::Now(party) => {
                self.peers.push(Peer { id: *id, party, swarms: BTreeMap::new() });
                Ok(self.peers.len() - 1)
            }
            Begun::Refused(Refusal { code: Code::NameTaken, .. }) => Err("this peer_id is another socket's".into()),
            Begun::Refused(refusal) => Err(refusal.message),
            // Names are asked about, and no peer's id has that form.
            Begun::Later => Err(Refusal::from(Code::Internal).message),
        }
    }

    /// Takes a peer of this socket out of a swarm. A peer in none needs no session.
    fn stop(&mut self, turn: &mut Turn<'_>, id: &Twenty, swarm: &Twenty) {
        let Some(at) = self.peers.iter().position(|peer| peer.id == *id) else { return };
        if self.peers[at].swarms.remove(swarm).is_some() {
            let party = self.peers[at].party.clone();
            let _ = turn.request(&party, &Request::SwarmLeave(SwarmOnly { swarm: name(swarm) }));
            self.end_if_idle(turn, at);
        }
    }

    fn end_if_idle(&mut self, turn: &mut Turn<'_>, at: usize) {
        if self.peers[at].swarms.is_empty() {
            let peer = self.peers.swap_remove(at);
            turn.end(&peer.party);
        }
    }

    /// Tells about the swarms that are asked for; where none is, about those that this socket is in. Whoever knows a hash may
    /// ask, but nobody gets a list of other people's hashes.
    fn scrape(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) -> Result<(), Failure> {
        let mut swarms = match message.info_hashes() {
            Some(asked) => asked.ok_or("invalid info_hash")?,
            None => self.peers.iter().flat_map(|peer| peer.swarms.keys().copied()).take(SCRAPE_MAX).collect(),
        };
        if swarms.len() > SCRAPE_MAX {
            return Err("too many info_hashes at once".into());
        }
        swarms.sort_unstable();
        swarms.dedup();
        let counted = |swarm: &Twenty| {
            let counts = turn.hub.swarm_counts(turn.ns(), &name(swarm));
            let (complete, incomplete) = (counts.complete, counts.incomplete);
            (swarm.text(), Counts { complete, incomplete, downloaded: counts.completed })
        };
        let files = swarms.iter().map(counted).collect();
        turn.answer(frame(&Scraped::new(files)));
        Ok(())
    }
}

/// Answers an announce.
fn tell_counts(turn: &mut Turn<'_>, swarm: &Twenty) {
    let counts = turn.hub.swarm_counts(turn.ns(), &name(swarm));
    turn.answer(frame(&Announced::new(&swarm.text(), counts.complete, counts.incomplete)));
}

/// Passes an answer on to a member of the same swarm, and to nobody else.
fn pass_answer(
    turn: &mut Turn<'_>,
    party: &Arc<Party>,
    (from, swarm): (&Twenty, &Twenty),
    (to, offer_id): (&Twenty, &Twenty),
    answer: &RawValue,
) {
    let to = peer(to);
    if !turn.hub.is_in_swarm(&party.ns, &to, &name(swarm)) {
        return;
    }
    let passed = Answered {
        action: Action::Announce,
        answer,
        offer_id: &offer_id.text(),
        peer_id: &from.text(),
        info_hash: &swarm.text(),
    };
    let passed = serde_json::to_string(&passed).unwrap_or_default();
    let _ = turn.signal(party, to.as_str(), "answer", answer, &passed);
}

/// What a peer is called in the hub.
fn peer(id: &Twenty) -> PeerId {
    PeerId::new(&format!("bt~{}", id.hex())).unwrap_or_else(|_| unreachable!("an id of plain characters"))
}

/// What a swarm is called in the hub.
fn name(swarm: &Twenty) -> SwarmName {
    SwarmName::new(&swarm.hex()).unwrap_or_else(|_| unreachable!("a name of plain characters"))
}

/// Hands out what other clients of trackers sent. Whoever speaks otherwise has no offer id, without which no client can answer.
pub(crate) struct TrackerVoice;

impl Voice for TrackerVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, _scene: Scene<'_>) -> Frames {
        let Event::Signal(signal) = event else { return Frames::new() };
        let own = own_frame(signal.foreign, to);
        own.map(|passed| passed.to_owned().into()).into_iter().collect()
    }
}
