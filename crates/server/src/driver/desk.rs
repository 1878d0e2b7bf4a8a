//! The running server as HTTP sees it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wigwag_dialects::SignalingCounts;
use wigwag_hub::{DialectId, Prefix, SessionId, Wall};
use wigwag_wire::code::Code;
use wigwag_wire::request::Mode;
use wigwag_wire::{Limits, Namespace, Refusal, RoomName};

use super::{Driver, Mail};
use crate::http::{
    Answer, Ban, Counts, Desk, MemberInfo, NewBan, Page, Readiness, RoomDetail, RoomInfo, SessionFilter, SessionInfo,
    Subject,
};
use crate::store::{self, StoreError};

/// How long counts are good for: they are asked for by every visitor of the page.
const COUNTS_FRESH: Duration = Duration::from_secs(1);

/// The last counts, and when they were taken.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<Option<(Instant, Counts)>>);

impl Driver {
    /// Puts the bans of earlier runs in force.
    pub async fn load_bans(self: &Arc<Self>) -> Result<(), StoreError> {
        for ban in self.store.bans().await? {
            match Subject::from_str(&ban.subject) {
                Ok(subject) => self.put_in_force(&subject, ban.until_ms),
                Err(error) => tracing::warn!(number = ban.id, error, "a ban in the store cannot be read"),
            }
        }
        Ok(())
    }

    fn put_in_force(self: &Arc<Self>, subject: &Subject, until_ms: Option<u64>) {
        let until = until_ms.map(Wall);
        match subject {
            Subject::Network(network) => {
                let prefix = prefix(network);
                self.hub.ban(prefix, until);
                // Who is inside already is shown out; each socket knows where it comes from.
                for socket in self.sockets.ids() {
                    self.post(socket, Mail::Banned(prefix));
                }
            }
            Subject::Id(ns, id) => {
                self.within(|driver, carrier| driver.hub.ban_id(driver.clock.now(), ns, id, until, carrier));
            }
        }
    }

    fn take_out_of_force(&self, subject: &Subject) {
        match subject {
            Subject::Network(network) => self.hub.unban(&prefix(network)),
            Subject::Id(ns, id) => self.hub.unban_id(ns, id),
        };
    }

    /// A ban of the store, unless it ran out or cannot be read.
    fn readable(&self, ban: store::Ban) -> Option<Ban> {
        let now = self.clock.now().wall.0;
        let subject = Subject::from_str(&ban.subject).ok()?;
        let in_force = ban.until_ms.is_none_or(|until| until > now);
        in_force.then_some(Ban { number: ban.id, subject, until: ban.until_ms, reason: ban.reason })
    }
}

/// The driver is held by everybody who asks it, so the trait is the shared handle's.
impl Desk for Arc<Driver> {
    fn readiness(&self) -> Readiness {
        Driver::readiness(self)
    }

    fn counts(&self) -> Counts {
        let mut counted = self.counted.0.lock();
        if let Some((_, counts)) = counted.as_ref().filter(|(at, _)| at.elapsed() < COUNTS_FRESH) {
            return counts.clone();
        }
        let now = self.hub.counts();
        let counts = Counts {
            sessions: now.sessions,
            sessions_waiting: now.sessions_waiting,
            guests: now.guests,
            ids: now.ids,
            rooms: now.rooms,
            room_members: now.room_members,
            topics: now.topics,
            networks: now.networks,
            swarms: now.swarms,
            watches: now.watches,
            queued_frames: now.unconfirmed,
            queued_bytes: now.unconfirmed_bytes,
            stored_signals: now.stored_signals,
        };
        *counted = Some((Instant::now(), counts.clone()));
        counts
    }

    fn signaling(&self) -> SignalingCounts {
        self.dialects.signaling_counts(&self.hub.rules().default_namespace)
    }

    fn sockets(&self) -> u64 {
        self.sockets.len() as u64
    }

    fn limits(&self) -> Limits {
        self.hub.rules().limits.clone()
    }

    fn sessions<'a>(&'a self, filter: &'a SessionFilter, page: &'a Page) -> Answer<'a, Vec<SessionInfo>> {
        Box::pin(async move {
            let after = if page.after.is_empty() {
                None
            } else {
                let after = SessionId::parse(&page.after);
                Some(after.ok_or(Refusal::new(Code::BadField, "`after` is not the name of a session."))?)
            };
            let filter = wigwag_hub::SessionFilter { ns: filter.namespace.clone(), id: filter.id.clone() };
            Ok(self.hub.sessions(&filter, after, page.limit).into_iter().map(session_info).collect())
        })
    }

    fn session<'a>(&'a self, name: &'a str) -> Answer<'a, Option<SessionInfo>> {
        Box::pin(async move { Ok(SessionId::parse(name).and_then(|id| self.hub.session(id)).map(session_info)) })
    }

    fn kick<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let Some(id) = SessionId::parse(name) else { return Ok(false) };
            Ok(self.within(|driver, carrier| driver.hub.remove(driver.clock.now(), id, carrier)))
        })
    }

    fn rooms<'a>(&'a self, namespace: Option<&'a Namespace>, page: &'a Page) -> Answer<'a, Vec<RoomInfo>> {
        Box::pin(async move {
            let after = if page.after.is_empty() { None } else { Some(room_after(&page.after)?) };
            let after = after.as_ref().map(|(ns, room)| (ns, room));
            Ok(self.hub.rooms(namespace, after, page.limit).into_iter().map(room_info).collect())
        })
    }

    fn room<'a>(&'a self, namespace: &'a Namespace, name: &'a RoomName) -> Answer<'a, Option<RoomDetail>> {
        Box::pin(async move {
            Ok(self.hub.room(namespace, name).map(|room| RoomDetail {
                host: room.info.host.as_ref().map(|host| host.id.clone()),
                members: room
                    .present
                    .into_iter()
                    .map(|member| MemberInfo { id: member.party.id, device: member.party.device })
                    .collect(),
                info: room_info(room.info),
            }))
        })
    }

    fn close_room<'a>(&'a self, namespace: &'a Namespace, name: &'a RoomName) -> Answer<'a, bool> {
        Box::pin(async move {
            Ok(self.within(|driver, carrier| driver.hub.close_room(driver.clock.now(), namespace, name, carrier)))
        })
    }

    fn bans(&self) -> Answer<'_, Vec<Ban>> {
        Box::pin(async move {
            let bans = self.store.bans().await.map_err(unavailable)?;
            Ok(bans.into_iter().filter_map(|ban| self.readable(ban)).collect())
        })
    }

    fn ban(&self, ban: NewBan) -> Answer<'_, Ban> {
        Box::pin(async move {
            let until = ban.seconds.map(|s| self.clock.now().wall.0.saturating_add(s.saturating_mul(1_000)));
            let subject = ban.subject.to_string();
            let number = self.store.put_ban(&subject, until, &ban.reason).await.map_err(unavailable)?;
            self.put_in_force(&ban.subject, until);
            Ok(Ban { number, subject: ban.subject, until, reason: ban.reason })
        })
    }

    fn unban(&self, number: u64) -> Answer<'_, bool> {
        Box::pin(async move {
            let bans = self.store.bans().await.map_err(unavailable)?;
            let subject = bans.into_iter().find(|ban| ban.id == number).and_then(|ban| ban.subject.parse().ok());
            let lifted = self.store.delete_ban(number).await.map_err(unavailable)?;
            if let (true, Some(subject)) = (lifted, subject) {
                self.take_out_of_force(&subject);
            }
            Ok(lifted)
        })
    }

    fn drain(&self) {
        self.begin_drain();
    }
}

fn session_info(session: wigwag_hub::SessionInfo) -> SessionInfo {
    SessionInfo {
        session: session.session,
        namespace: session.namespace,
        id: session.id,
        device: session.device,
        dialect: match session.dialect {
            DialectId::NATIVE => "native",
            _ => "other",
        },
        connected: session.connected,
        since: session.began.0,
        rooms: session.rooms,
        queued_bytes: session.unconfirmed_bytes,
    }
}

fn room_info(room: wigwag_hub::RoomInfo) -> RoomInfo {
    RoomInfo {
        namespace: room.namespace,
        room: room.room,
        size: room.members as usize,
        capacity: room.capacity as usize,
        mode: match room.mode {
            Mode::HostOnly => "HOST_ONLY",
            Mode::FreeForAll => "FREE_FOR_ALL",
        },
        locked: room.locked,
        term: room.term,
    }
}

/// `namespace/name`; the name may hold slashes.
fn room_after(text: &str) -> Result<(Namespace, RoomName), Refusal> {
    let parts = text.split_once('/').and_then(|(ns, room)| Some((Namespace::new(ns).ok()?, RoomName::new(room).ok()?)));
    parts.ok_or(Refusal::new(Code::BadField, "`after` is not `namespace/name` of a room."))
}

/// The same network in the hub's words. What is a network there is one here.
fn prefix(network: &ipnet::IpNet) -> Prefix {
    Prefix::new(network.network(), network.prefix_len()).unwrap_or_else(|_| Prefix::from(network.network()))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(_error: StoreError) -> Refusal {
    Code::StoreUnavailable.into()
}
