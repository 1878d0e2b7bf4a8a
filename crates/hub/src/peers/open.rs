//! How sessions begin and go on.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use wigwag_wire::code::Code;
use wigwag_wire::event::{LimitsTold, Presence, Welcome};
use wigwag_wire::limits::is_full;
use wigwag_wire::{Device, Event, Namespace, PeerId, Refusal, VERSION};

use super::Peers;
use super::directory::Address;
use super::queue::Queue;
use super::session::{Line, Owner, Resumable, Session, TokenHash};
use crate::cx::Cx;
use crate::ice::Grant;
use crate::ids::{DialectId, Party, SessionId, SocketId};
use crate::output::{Note, Output};
use crate::time::Moment;

/// A proved wish for a session.
pub(crate) struct Opening {
    pub(crate) ns: Namespace,
    pub(crate) id: PeerId,
    pub(crate) device: Device,
    pub(crate) dialect: DialectId,
    pub(crate) owner: Owner,
    pub(crate) socket: SocketId,
    /// When the socket opened.
    pub(crate) opened: Moment,
    /// Token and count of a session to go on with.
    pub(crate) resume: Option<(String, u64)>,
    /// How many changes of keys there had been when the store was asked whether the key speaks for the name.
    pub(crate) asked: Option<u64>,
    /// Whether the session may outlive its socket.
    pub(crate) lasting: bool,
}

/// The session that a token belongs to, as it says itself.
pub(crate) fn parse_token(token: &str) -> Option<SessionId> {
    let (number, secret) = token.split_once('.')?;
    SessionId::parse(number).filter(|_| secret.len() == 32)
}

impl Peers {
    /// The guest who holds this token.
    pub(crate) fn guest_of_token(&self, token: &str) -> Option<Arc<Party>> {
        let session = self.session(parse_token(token)?)?;
        (session.owner == Owner::Nobody && session.is_token(&hash(token))).then(|| session.party.clone())
    }

    /// Begins a session, or goes on with one, and welcomes the peer.
    pub(crate) fn open(&mut self, cx: &mut Cx<'_>, opening: Opening) -> Result<Arc<Party>, Refusal> {
        let address = Address { ns: opening.ns.clone(), id: opening.id.clone() };
        if self.is_banned(&address, cx.now.wall) {
            return Err(Code::Banned.into());
        }
        if opening.asked.is_some_and(|asked| self.replaced.holds(&address, opening.owner.key(), asked)) {
            return Err(Code::NameTaken.into());
        }
        let devices = self.receivers(&address.ns, address.id.as_str(), None);
        let same = devices.iter().copied().find(|s| self.session(*s).is_some_and(|s| s.party.device == opening.device));
        // A peer that gave a socket up may have said hello on it: the store may have taken its time, or the network.
        let newer = |s: &Session| matches!(s.line, Line::Open(_, opened) if opened > opening.opened);
        if same.and_then(|session| self.session(session)).is_some_and(newer) {
            return Err(Code::Superseded.into());
        }
        if let Some(party) = same.and_then(|session| self.resume(cx, session, &opening)) {
            return Ok(party);
        }
        self.stand_back(cx, &devices, &opening)?;
        let limits = &cx.hub.rules().limits;
        if same.is_none() && is_full(devices.len(), limits.sessions_per_id) {
            return Err(Code::TooManySessions.into());
        }
        // A session that takes the place of another needs no room of its own.
        let limit = if same.is_some() { 0 } else { limits.sessions_per_namespace };
        let id = self.slots.vacancy()?;
        cx.hub.tallies().begin(&opening.ns, limit).inspect_err(|_| self.slots.vacate(id))?;
        // The new session is in place before the old one ends, so nobody sees the id leave; and it is welcome before it is told
        // anything, for what the old one held may come to it at once.
        let (party, token) = self.begin_session(cx, id, opening);
        if let Some(old) = same {
            self.supersede(cx, old);
        }
        self.welcome(cx, id, &token, None);
        if let Some(old) = same {
            self.end(cx, old);
        }
        self.review(cx, &address);
        self.deliver_stored(cx, &address, &party);
        self.resolve(cx, &address, None);
        Ok(party)
    }

    /// A live id of a dialect goes to nobody else. Who proved a name takes it from whoever uses it without a proof.
    fn stand_back(&mut self, cx: &mut Cx<'_>, devices: &[SessionId], opening: &Opening) -> Result<(), Refusal> {
        let is_native = opening.dialect == DialectId::NATIVE;
        for id in devices {
            let Some(session) = self.session(*id) else { continue };
            if is_native && session.party.dialect != DialectId::NATIVE {
                self.close(cx, *id, Code::Superseded);
                continue;
            }
            // What is secret in one dialect may be known in another.
            let is_own = matches!(opening.owner, Owner::Secret(_))
                && session.owner == opening.owner
                && session.party.dialect == opening.dialect;
            if !is_native && !is_own {
                return Err(Code::NameTaken.into());
            }
        }
        Ok(())
    }

    fn begin_session(&mut self, cx: &mut Cx<'_>, id: SessionId, opening: Opening) -> (Arc<Party>, String) {
        let Opening { ns, id: peer, device, dialect, owner, socket, opened, lasting, .. } = opening;
        let party = Arc::new(Party { session: id, ns, id: peer, device, dialect });
        let token = new_token(cx, id);
        let resume =
            lasting.then(|| Box::new(Resumable { token: hash(&token), earlier: None, queue: Queue::default() }));
        let session = Session {
            party: party.clone(),
            owner,
            line: Line::Open(socket, opened),
            state: Presence::Here,
            behind: false,
            resume,
            last_n: None,
            rare: None,
            began: cx.now.wall,
            mark_at: Moment::NEVER,
            ice_at: Moment::NEVER,
            timer: Moment::NEVER,
        };
        self.slots.settle_in(session);
        self.directory.add(&party);
        cx.out.note(Note::Began);
        (party, token)
    }

    /// Goes on with a session if the token is its own and the count is possible.
    fn resume(&mut self, cx: &mut Cx<'_>, id: SessionId, opening: &Opening) -> Option<Arc<Party>> {
        let (token, seen) = opening.resume.as_ref()?;
        let presented = hash(token);
        let session = self.session(id).filter(|s| s.is_token(&presented))?;
        if parse_token(token) != Some(id) || session.resume.as_deref().is_none_or(|r| *seen > r.queue.wired()) {
            return None;
        }
        self.supersede(cx, id);
        let token = new_token(cx, id);
        let session = self.session_mut(id)?;
        session.line = Line::Open(opening.socket, opening.opened);
        session.owner = opening.owner;
        let party = session.party.clone();
        let resume = session.resume.as_deref_mut()?;
        resume.token = hash(&token);
        resume.earlier = Some(Box::new(presented));
        let missed = resume.queue.rewind(*seen);
        let wired = resume.queue.wire();
        let frames: Vec<_> = resume.queue.frames().map(|held| held.frame.clone()).collect();
        self.forget(cx, wired, true);
        self.welcome(cx, id, &token, Some(missed));
        cx.out.note(Note::Resumed(frames.len() as u32));
        let again = !frames.is_empty();
        for frame in frames {
            cx.out.emit(Output::Send { socket: opening.socket, frame });
        }
        if again {
            self.handed(cx, id);
        }
        self.catch_up(cx, id);
        self.set_state(cx, id, Presence::Here);
        Some(party)
    }

    /// `missed`: of a session that goes on, how many frames are lost for good.
    fn welcome(&mut self, cx: &mut Cx<'_>, id: SessionId, token: &str, missed: Option<u64>) {
        let Some(session) = self.session(id) else { return };
        let Some(socket) = session.socket() else { return };
        let party = session.party.clone();
        let rules = cx.hub.rules();
        // Dialects have no word for ICE servers.
        let is_native = party.dialect == DialectId::NATIVE;
        let grant = if is_native { crate::ice::grant(&rules.ice, &party, cx.now.wall) } else { Grant::default() };
        let limits = &rules.limits;
        let welcome = Welcome {
            session: &id.name(),
            id: &party.id,
            device: &party.device,
            namespace: &party.ns,
            resume: if session.resume.is_some() { token } else { "" },
            resumed: missed.is_some(),
            missed: missed.unwrap_or(0),
            n: session.last_n,
            version: VERSION,
            capabilities: &[],
            ice: &grant.servers,
            ice_expires: grant.expires.map(|w| w.0),
            limits: LimitsTold {
                frame_bytes: limits.frame_bytes,
                frames_per_second: limits.frames_per_second,
                frames_burst: limits.frames_burst,
                meta_bytes: limits.meta_bytes,
                stored_seconds: limits.stored_seconds,
                relay_bytes_per_second: limits.relay_bytes_per_second,
                relay_bytes_burst: limits.relay_bytes_burst,
                relay_frames_per_second: limits.relay_frames_per_second,
            },
            away_after: rules.away_after_ms,
            gone_after: rules.gone_after_ms,
        };
        let event = Event::Welcome(Box::new(welcome));
        // Not counted: counting begins after it.
        for frame in cx.frames(&event, &party, None) {
            cx.out.note(Note::Event(party.dialect, event.index()));
            cx.out.emit(Output::Send { socket, frame });
        }
        if is_native {
            self.expect_ice(cx, id);
        }
    }
}

/// A new token for a session: its number, so that a guest's session is found, and a secret.
fn new_token(cx: &Cx<'_>, id: SessionId) -> String {
    let mut secret = [0; 20];
    cx.fill(&mut secret);
    format!("{}.{}", id.name(), BASE32_NOPAD.encode(&secret).to_ascii_lowercase())
}

fn hash(token: &str) -> TokenHash {
    let hash = Sha256::digest(token.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}
