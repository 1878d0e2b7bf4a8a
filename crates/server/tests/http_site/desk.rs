//! A desk that answers from tables, so that HTTP can be tried without a hub.

use parking_lot::Mutex;
use wigwag_dialects::SignalingCounts;
use wigwag_server::http::{
    Answer, Ban, Counts, Desk, MemberInfo, NewBan, Page, Readiness, RoomDetail, RoomInfo, SessionFilter, SessionInfo,
};
use wigwag_wire::{Code, Device, Limits, Namespace, PeerId, Refusal, RoomName};

pub(crate) struct Tables {
    pub(crate) readiness: Readiness,
    pub(crate) limits: Limits,
    pub(crate) sessions: Vec<SessionInfo>,
    pub(crate) rooms: Vec<RoomDetail>,
    pub(crate) bans: Vec<Ban>,
    pub(crate) drained: bool,
    pub(crate) store_is_broken: bool,
}

pub(crate) struct TableDesk(pub(crate) Mutex<Tables>);

impl Default for TableDesk {
    fn default() -> Self {
        let session = |name: &str, id: &str, namespace: &str| SessionInfo {
            session: name.into(),
            namespace: Namespace::new(namespace).unwrap(),
            id: PeerId::new(id).unwrap(),
            device: Device::new("").unwrap(),
            dialect: "native",
            connected: true,
            since: 1_795_000_000_000,
            rooms: 1,
            queued_bytes: 0,
        };
        let room = |namespace: &str, name: &str| RoomDetail {
            info: RoomInfo {
                namespace: Namespace::new(namespace).unwrap(),
                room: RoomName::new(name).unwrap(),
                size: 1,
                capacity: 100,
                mode: "HOST_ONLY",
                locked: false,
                term: 1,
            },
            host: Some(PeerId::new("alice@example.org").unwrap()),
            members: vec![MemberInfo {
                id: PeerId::new("alice@example.org").unwrap(),
                device: Device::new("").unwrap(),
            }],
        };
        Self(Mutex::new(Tables {
            readiness: Readiness::Ready,
            limits: Limits::default(),
            sessions: vec![
                session("s1", "alice@example.org", "chess"),
                session("s2", "bob@example.org", "chess"),
                session("s3", "carol@example.org", "films"),
            ],
            rooms: vec![room("chess", "blitz/5 min"), room("films", "tonight")],
            bans: Vec::new(),
            drained: false,
            store_is_broken: false,
        }))
    }
}

impl TableDesk {
    fn stored<T: Send + 'static>(&self, act: impl FnOnce(&mut Tables) -> T) -> Answer<'_, T> {
        let mut tables = self.0.lock();
        let answer = if tables.store_is_broken {
            Err(Code::StoreUnavailable.into())
        } else {
            Ok::<T, Refusal>(act(&mut tables))
        };
        Box::pin(async { answer })
    }

    fn known<T: Send + 'static>(&self, act: impl FnOnce(&mut Tables) -> T) -> Answer<'_, T> {
        let answer = act(&mut self.0.lock());
        Box::pin(async { Ok(answer) })
    }
}

impl Desk for TableDesk {
    fn readiness(&self) -> Readiness {
        self.0.lock().readiness
    }

    fn counts(&self) -> Counts {
        let tables = self.0.lock();
        Counts { sessions: tables.sessions.len() as u64, rooms: tables.rooms.len() as u64, ..Counts::default() }
    }

    fn signaling(&self) -> SignalingCounts {
        SignalingCounts { rooms: 2, peers: 5 }
    }

    fn sockets(&self) -> u64 {
        17
    }

    fn limits(&self) -> Limits {
        self.0.lock().limits.clone()
    }

    fn sessions<'a>(&'a self, filter: &'a SessionFilter, page: &'a Page) -> Answer<'a, Vec<SessionInfo>> {
        self.known(|tables| {
            let wanted = |s: &&SessionInfo| {
                s.session > page.after
                    && filter.namespace.as_ref().is_none_or(|namespace| *namespace == s.namespace)
                    && filter.id.as_ref().is_none_or(|id| *id == s.id)
            };
            tables.sessions.iter().filter(wanted).take(page.limit).cloned().collect()
        })
    }

    fn session<'a>(&'a self, name: &'a str) -> Answer<'a, Option<SessionInfo>> {
        self.known(|tables| tables.sessions.iter().find(|s| s.session == name).cloned())
    }

    fn kick<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.known(|tables| take(&mut tables.sessions, |s| s.session == name))
    }

    fn rooms<'a>(&'a self, namespace: Option<&'a Namespace>, page: &'a Page) -> Answer<'a, Vec<RoomInfo>> {
        self.known(|tables| {
            let rooms = tables.rooms.iter().map(|room| room.info.clone());
            rooms
                .filter(|room| namespace.is_none_or(|namespace| *namespace == room.namespace))
                .filter(|room| format!("{}/{}", room.namespace, room.room) > page.after)
                .take(page.limit)
                .collect()
        })
    }

    fn room<'a>(&'a self, namespace: &'a Namespace, name: &'a RoomName) -> Answer<'a, Option<RoomDetail>> {
        self.known(|tables| tables.rooms.iter().find(|r| is(&r.info, namespace, name)).cloned())
    }

    fn close_room<'a>(&'a self, namespace: &'a Namespace, name: &'a RoomName) -> Answer<'a, bool> {
        self.known(|tables| take(&mut tables.rooms, |r| is(&r.info, namespace, name)))
    }

    fn bans(&self) -> Answer<'_, Vec<Ban>> {
        self.stored(|tables| tables.bans.clone())
    }

    fn ban(&self, ban: NewBan) -> Answer<'_, Ban> {
        self.stored(|tables| {
            let number = tables.bans.len() as u64 + 1;
            let ban = Ban { number, subject: ban.subject, until: ban.seconds.map(|s| s * 1000), reason: ban.reason };
            tables.bans.push(ban.clone());
            ban
        })
    }

    fn unban(&self, number: u64) -> Answer<'_, bool> {
        self.stored(move |tables| take(&mut tables.bans, |ban| ban.number == number))
    }

    fn drain(&self) {
        self.0.lock().drained = true;
    }
}

fn is(room: &RoomInfo, namespace: &Namespace, name: &RoomName) -> bool {
    room.namespace == *namespace && room.room == *name
}

/// Removes what matches; says whether there was any.
fn take<T>(items: &mut Vec<T>, matches: impl Fn(&T) -> bool) -> bool {
    let before = items.len();
    items.retain(|item| !matches(item));
    items.len() < before
}
