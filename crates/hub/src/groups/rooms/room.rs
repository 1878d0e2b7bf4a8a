//! One room: who is in it and what they see of each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;
use wigwag_wire::event::{self, MemberChange, PartyRef, Presence, RoomJoined, RoomMember};
use wigwag_wire::request::Mode;
use wigwag_wire::{Code, Event, Namespace, PeerId, Refusal, RoomName};

use super::codes::JoinCode;
use super::options::Options;
use crate::cx::{Cx, Spread};
use crate::ids::{GroupKey, GroupKind, Party, SessionId};
use crate::time::{Moment, Wall};
use crate::voice::RoomView;

/// One room.
pub(super) struct Room {
    pub(super) key: GroupKey,
    pub(super) name: RoomName,
    /// Longest-standing first.
    pub(super) members: Vec<Member>,
    /// Always a member; nobody while the room is empty.
    pub(super) host: Option<Arc<Party>>,
    /// When it was made.
    pub(super) made: Wall,
    /// When somebody last came, went or asked something of it.
    pub(super) active: Wall,
    /// Who was host before the server went down, and until when that one is host again on coming back.
    pub(super) heir: Option<(PeerId, Moment)>,
    /// Rises by one with each host, also across an empty time.
    pub(super) term: u64,
    /// Who was host when the room became empty: a lock does not keep that one out.
    pub(super) last_host: Option<PeerId>,
    pub(super) options: Options,
    pub(super) bans: BTreeSet<PeerId>,
    pub(super) state: Option<Box<RawValue>>,
    pub(super) code: Option<JoinCode>,
    /// When the room goes, while it is empty.
    pub(super) ends: Option<Moment>,
    /// When to look for silent members: no later than the first of them is due.
    pub(super) idle_check: Option<Moment>,
    /// Its entry among the shard's deadlines.
    pub(super) due: Option<Moment>,
}

/// One member.
pub(super) struct Member {
    /// The party's session, here too so that a search needs no other memory.
    pub(super) session: SessionId,
    pub(super) party: Arc<Party>,
    pub(super) joined: Wall,
    pub(super) me: Option<Box<RawValue>>,
    pub(super) state: Presence,
    /// When it last asked something of the room.
    pub(super) heard: Moment,
}

impl Room {
    pub(super) fn new(ns: Namespace, name: RoomName, options: Options, made: Wall) -> Self {
        Self {
            key: GroupKey { kind: GroupKind::Room, ns, name: name.as_str().into() },
            name,
            members: Vec::new(),
            host: None,
            made,
            active: made,
            heir: None,
            term: 0,
            last_host: None,
            options,
            bans: BTreeSet::new(),
            state: None,
            code: None,
            ends: None,
            idle_check: None,
            due: None,
        }
    }

    pub(super) fn position(&self, session: SessionId) -> Option<usize> {
        self.members.iter().position(|member| member.session == session)
    }

    pub(super) fn is_host(&self, session: SessionId) -> bool {
        self.host.as_ref().is_some_and(|host| host.session == session)
    }

    /// Whether a party that is not in the room may come in.
    pub(super) fn admit(
        &self,
        cx: &Cx<'_>,
        who: &Party,
        password: Option<&str>,
        me: Option<&RawValue>,
    ) -> Result<(), Refusal> {
        if self.bans.contains(&who.id) {
            return Err(Code::RoomBanned.into());
        }
        if self.options.password.as_ref().is_some_and(|kept| !kept.is(password.unwrap_or_default())) {
            return Err(Code::WrongPassword.into());
        }
        // Without this, a host that was alone in a locked room and lost its session could never come back.
        let returns = self.members.is_empty() && self.last_host.as_ref() == Some(&who.id);
        if self.options.locked && !returns {
            return Err(Code::RoomLocked.into());
        }
        if self.members.len() >= self.options.capacity as usize {
            return Err(Code::RoomFull.into());
        }
        self.fits(cx, None, me)
    }

    /// Takes in a party; the first one becomes the host. It is told, then the others are.
    pub(super) fn enter(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, n: Option<u64>, me: Option<&RawValue>) {
        let at = self.members.len();
        self.members.push(Member {
            session: who.session,
            party: Arc::clone(who),
            joined: cx.now.wall,
            me: me.and_then(kept),
            state: Presence::Here,
            heard: cx.now.at,
        });
        if self.host.is_none() {
            self.term += 1;
            self.host = Some(Arc::clone(who));
        }
        self.ends = None;
        self.active = cx.now.wall;
        self.expect_life(cx.now.at);
        let code = if self.term == 1 && at == 0 { self.code.as_ref() } else { None };
        self.tell_joined(cx, at, n, code);
        self.tell_of(cx, at, true);
        self.enthrone(cx, at);
    }

    /// Changes what the others see of a member.
    pub(super) fn change_me(&mut self, cx: &mut Cx<'_>, at: usize, me: &RawValue) -> Result<(), Refusal> {
        self.fits(cx, Some(at), Some(me))?;
        let (me, member) = (kept(me), &mut self.members[at]);
        if member.me.as_deref().map(RawValue::get) != me.as_deref().map(RawValue::get) {
            member.me = me;
            self.tell_of(cx, at, false);
        }
        Ok(())
    }

    /// A member went away or came back.
    pub(super) fn change_presence(&mut self, cx: &mut Cx<'_>, at: usize, state: Presence) {
        let member = &mut self.members[at];
        if member.state != state {
            member.state = state;
            self.tell_of(cx, at, false);
        }
    }

    /// Tells a member all about the room. `code` is told where it was asked for.
    pub(super) fn tell_joined(&self, cx: &mut Cx<'_>, at: usize, n: Option<u64>, code: Option<&JoinCode>) {
        let Some(host) = &self.host else { return };
        let me = &self.members[at];
        let others = self.members.iter().filter(|member| member.session != me.session);
        let members: Vec<_> = others.map(|member| member.seen(me.party.is_polite_to(&member.party))).collect();
        let event = Event::RoomJoined(Box::new(RoomJoined {
            re: n,
            room: &self.name,
            host: party_ref(host),
            term: self.term,
            mode: self.options.mode,
            locked: self.options.locked,
            listed: self.options.listed,
            capacity: self.options.capacity,
            password: self.options.password.is_some(),
            meta: self.options.meta.as_deref(),
            state: if self.is_host(me.session) { self.state.as_deref() } else { None },
            code: code.map(|code| code.code.as_str()),
            code_expires: code.map(|code| code.told.0),
            members: &members,
        }));
        cx.tell_about(&me.party, &event, self);
    }

    /// Tells the others of a member that came or changed: one text for those who are polite towards it, one for the rest.
    fn tell_of(&self, cx: &mut Cx<'_>, at: usize, came: bool) {
        let about = &self.members[at];
        let event = |polite| {
            let member = about.seen(polite);
            let change = if came { MemberChange::Joined(member) } else { MemberChange::Updated(member) };
            Event::RoomMember(RoomMember { room: &self.name, change })
        };
        let (polite, firm) = (event(true), event(false));
        let (mut polite, mut firm) = (Spread::about(&polite, self), Spread::about(&firm, self));
        for member in self.members.iter().filter(|member| member.session != about.session) {
            let spread = if member.party.is_polite_to(&about.party) { &mut polite } else { &mut firm };
            cx.spread(spread, &member.party);
        }
    }

    /// Whether the members' metadata stays within half a socket's queue, `at` (or a newcomer) having `me`. Otherwise a few members
    /// could make the answer to `room.join` so large that every newcomer is cut for reading too slowly.
    fn fits(&self, cx: &Cx<'_>, at: Option<usize>, me: Option<&RawValue>) -> Result<(), Refusal> {
        let limit = cx.rules().limits.queue_bytes / 2;
        let Some(me) = me else { return Ok(()) };
        let others = self.members.iter().enumerate().filter(|(i, _)| Some(*i) != at);
        let bytes: usize = others.filter_map(|(_, member)| member.me.as_ref()).map(|me| me.get().len()).sum();
        if limit != 0 && (bytes + me.get().len()) as u64 > limit {
            return Err(Refusal::new(Code::TooLarge, "The members' metadata are as large as they may be together."));
        }
        Ok(())
    }
}

impl RoomView for Room {
    fn name(&self) -> &RoomName {
        &self.name
    }

    fn host(&self) -> Option<&PeerId> {
        self.host.as_ref().map(|host| &host.id)
    }

    fn term(&self) -> u64 {
        self.term
    }

    fn mode(&self) -> Mode {
        self.options.mode
    }

    fn meta(&self) -> Option<&RawValue> {
        self.options.meta.as_deref()
    }

    fn made(&self) -> Wall {
        self.made
    }

    fn active(&self) -> Wall {
        self.active
    }

    fn members(&self, each: &mut dyn FnMut(event::Member<'_>)) {
        self.members.iter().for_each(|member| each(member.seen(false)));
    }
}

impl Member {
    /// The member as one sees it who is polite towards it, or not.
    fn seen(&self, polite: bool) -> event::Member<'_> {
        event::Member {
            id: &self.party.id,
            device: &self.party.device,
            state: self.state,
            joined: self.joined.0,
            me: self.me.as_deref(),
            polite,
            dialect: self.party.dialect.0,
        }
    }
}

pub(super) fn party_ref(party: &Party) -> PartyRef<'_> {
    PartyRef { id: &party.id, device: &party.device }
}

/// Content to keep; `null` takes away what was there.
pub(super) fn kept(raw: &RawValue) -> Option<Box<RawValue>> {
    (raw.get() != "null").then(|| raw.to_owned())
}
