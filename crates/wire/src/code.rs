//! Every refusal's code: number, name, whose fault, and what the other side should do. `spec/codes.md` is the text of this table.

use std::borrow::Cow;
use std::fmt;

/// What a client does about a code, told by its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 4000–4099: connect again and resume.
    ComeBack,
    /// 4100–4199: ask again later, or for less.
    Wait,
    /// 4200–4299: prove yourself again.
    Prove,
    /// 4300–4399: do not come back by yourself.
    Stop,
    /// 4400–4499: the request is wrong.
    Mend,
    /// 4500–4599: the server's own fault.
    Server,
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The one who asked.
    Peer,
    /// Another peer.
    Other,
    /// The server.
    Server,
    /// Ordinary life.
    Nobody,
}

/// Whether a code ends the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closes {
    /// Always.
    Yes,
    /// Never.
    No,
    /// Only while the peer has not proved itself yet.
    Hello,
}

macro_rules! codes {
    ($($number:literal $variant:ident $name:literal $fault:ident $closes:ident $meaning:literal $advice:literal)*) => {
        /// A code of `spec/codes.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $meaning] $variant = $number,)*
        }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),* }
            }

            /// What happened, for a person.
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning),* }
            }

            /// What the one who asked should do.
            pub const fn advice(self) -> &'static str {
                match self { $(Code::$variant => $advice),* }
            }

            /// Whose fault it is.
            pub const fn fault(self) -> Fault {
                match self { $(Code::$variant => Fault::$fault),* }
            }

            /// Whether it ends the socket.
            pub const fn closes(self) -> Closes {
                match self { $(Code::$variant => Closes::$closes),* }
            }

            /// The code of a number.
            pub const fn from_number(number: u16) -> Option<Code> {
                match number { $($number => Some(Code::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    4000 Restarting "restarting" Nobody Yes
        "The server is going down or being replaced."
        "Come back after the given time and resume."
    4001 Overloaded "overloaded" Server Yes
        "The server holds as many sockets as it may."
        "Come back later, with back-off."
    4002 SlowReader "slow_reader" Peer Yes
        "More was waiting for this socket than its queue may hold."
        "Read faster; come back and resume."
    4003 Idle "idle" Peer Yes
        "Nothing was heard for longer than the idle time, not even an answer to a ping."
        "Come back and resume."
    4004 HelloLate "hello_late" Peer Yes
        "No good hello arrived within the handshake time."
        "Come back and answer the challenge at once."
    4100 RateLimited "rate_limited" Peer No
        "More frames than this socket may send. The frame was dropped."
        "Wait `retry_after`, send fewer frames, put several candidates in one."
    4101 TooManySockets "too_many_sockets" Peer Yes
        "This address or network holds as many sockets as it may."
        "Close some, or wait."
    4102 TooManySessions "too_many_sessions" Peer Hello
        "This key holds as many sessions as it may."
        "End one with `bye`, or use the same device name."
    4103 TooManyWatches "too_many_watches" Peer No
        "This session watches as many ids as it may."
        "Unwatch some."
    4104 TooManyRooms "too_many_rooms" Peer No
        "This session is in as many rooms as it may."
        "Leave one."
    4105 RoomFull "room_full" Nobody No
        "The room has reached its capacity."
        "Wait until somebody leaves, or ask the host for more room."
    4106 TooManyTopics "too_many_topics" Peer No
        "This session has as many topics as it may."
        "Unsubscribe from some."
    4107 TooManyStored "too_many_stored" Other No
        "As many signals are stored for that peer, or in all, as may be."
        "Try again when the peer was here, or do not ask for storing."
    4108 TooManyNames "too_many_names" Peer Hello
        "This key speaks for as many names as it may."
        "Give one up."
    4109 TooManyGuesses "too_many_guesses" Peer No
        "Too many misses from this address or session."
        "Wait `retry_after`."
    4110 TooManySwarms "too_many_swarms" Peer No
        "This session is in as many swarms as it may."
        "Leave one."
    4111 TooManyNetworks "too_many_networks" Peer No
        "This session is in as many networks as it may."
        "Leave one."
    4112 TooManyWaiting "too_many_waiting" Server No
        "As many requests as may wait for an outside answer about that peer are waiting."
        "Try again soon."
    4113 TooManyHandshakes "too_many_handshakes" Server Yes
        "As many sockets as may be are still proving themselves."
        "Come back with back-off."
    4114 TooManyKeys "too_many_keys" Peer No
        "This name has as many keys as it may."
        "Remove one."
    4115 QueueFull "queue_full" Other No
        "The peer's queue has no room for this."
        "Try again when it is here, or has read more."
    4116 NamespaceFull "namespace_full" Server No
        "The server keeps as many things of this kind as it may."
        "Try again later."
    4200 BadSignature "bad_signature" Peer Hello
        "The signature does not fit the key, the challenge and the fields of the hello."
        "Sign this challenge, with this server's name."
    4201 BadKey "bad_key" Peer Hello
        "The key is malformed or of a kind this server does not know."
        "Use `ed25519:` or `p256:`."
    4202 NameTaken "name_taken" Other Hello
        "The name is bound to another key."
        "Use the key that claimed it, another name, or ask the operator."
    4203 GuestRefused "guest_refused" Peer Hello
        "This server wants a key."
        "Send a key and a signature."
    4204 KeyReplaced "key_replaced" Peer Yes
        "This key no longer speaks for the name."
        "Come back with the new key."
    4205 Unproved "unproved" Peer No
        "A request came before the hello was accepted."
        "Answer the challenge first."
    4206 NamespaceRefused "namespace_refused" Peer Hello
        "This server does not serve that namespace."
        "Use one that it serves."
    4207 TokenRefused "token_refused" Peer No
        "The bearer token is missing or wrong."
        "Send the token that the operator set."
    4300 Superseded "superseded" Nobody Yes
        "A newer socket of the same id and device took over."
        "Nothing: the newer socket has the session."
    4301 Removed "removed" Server Yes
        "The operator ended this session."
        "Ask the operator."
    4302 Banned "banned" Peer Yes
        "This address or id is banned."
        "Ask the operator."
    4303 VersionUnsupported "version_unsupported" Peer Hello
        "No common version of the protocol."
        "Update."
    4304 OriginRefused "origin_refused" Peer Yes
        "Pages of this origin may not use this server."
        "Ask the operator to allow the origin."
    4305 SwitchedOff "switched_off" Server No
        "The operator switched this off."
        "Do without it."
    4400 Malformed "malformed" Peer No
        "The frame is not one JSON object in UTF-8."
        "Mend the sender."
    4401 UnknownType "unknown_type" Peer No
        "The type is not known."
        "Check the spelling and the version."
    4402 BadField "bad_field" Peer No
        "A field is missing or holds a wrong value; the message names it."
        "Mend the field."
    4403 NotAllowed "not_allowed" Peer No
        "The asker may not do this: not the host, or the room's mode forbids it."
        "Ask the host."
    4404 NotFound "not_found" Nobody No
        "There is no such thing: room, code, session, page."
        "Check the name; a code may have run out."
    4405 NotMember "not_member" Peer No
        "The asker is not in that room, network or swarm."
        "Join first."
    4406 RoomExists "room_exists" Other No
        "A room of that name is there already."
        "Join it, or choose another name."
    4407 RoomLocked "room_locked" Other No
        "The host let nobody else in."
        "Ask the host."
    4408 WrongPassword "wrong_password" Peer No
        "The password is missing or wrong."
        "Ask the host for it."
    4409 StaleTerm "stale_term" Nobody No
        "The order comes from an earlier term; the room has another host now."
        "Take in the latest `room.host`."
    4410 RoomBanned "room_banned" Peer No
        "The host banned this peer from the room."
        "Ask the host."
    4411 TooLarge "too_large" Peer No
        "A field, or the whole frame, is larger than allowed."
        "Send less."
    4412 TooDeep "too_deep" Peer No
        "The JSON is nested deeper than allowed."
        "Flatten it."
    4413 StaleN "stale_n" Peer No
        "`n` is not greater than the one before."
        "Count upwards."
    4414 AlreadyProved "already_proved" Peer No
        "A second hello on one socket."
        "Open a new socket."
    4415 MethodRefused "method_refused" Peer No
        "HTTP: the method does not fit the address."
        "Use the method that `Allow` names."
    4500 Internal "internal" Server No
        "Something went wrong in the server."
        "Try again; tell the operator."
    4501 StoreUnavailable "store_unavailable" Server No
        "The server cannot write down what it must keep."
        "Try again later; tell the operator."
    4502 Unreachable "unreachable" Server No
        "Where the peer is could not be found out in time."
        "Try again."
}

impl Code {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// What a client does about it.
    pub const fn class(self) -> Class {
        match self.number() / 100 {
            40 => Class::ComeBack,
            41 => Class::Wait,
            42 => Class::Prove,
            43 => Class::Stop,
            44 => Class::Mend,
            _ => Class::Server,
        }
    }

    /// Its place in [`Code::ALL`], for tables indexed by code.
    pub fn index(self) -> usize {
        Code::ALL.iter().position(|c| *c == self).unwrap_or(0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

/// A request that is not carried out: the code, a text for a person, and for limits the time to wait.
/// Refusing a request and answering it are the same act, so this is the error type of every handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// Which refusal.
    pub code: Code,
    /// For a person: what is wrong and what to do.
    pub message: Cow<'static, str>,
    /// Milliseconds after which asking again may succeed.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal that says more than the code does by itself.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// The same with a time to wait, in milliseconds.
    pub fn after(self, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }
}

impl From<Code> for Refusal {
    /// The code's own meaning and advice as the message.
    fn from(code: Code) -> Self {
        Self::new(code, format!("{} {}", code.meaning(), code.advice()))
    }
}
