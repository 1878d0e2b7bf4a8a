//! Every limit with its default, its key in the configuration and the code of its refusal.
//! One row per limit: the struct, the table for documents and the configuration all come from the same place.

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// One row of the table of limits.
#[derive(Clone, Copy, Debug)]
pub struct LimitRow {
    /// Key below `limits.` in the configuration.
    pub key: &'static str,
    /// Default value.
    pub default: u64,
    /// What is counted.
    pub unit: &'static str,
    /// The code of the refusal, or the close code.
    pub code: Code,
    /// What it bounds, for a person.
    pub doc: &'static str,
}

macro_rules! limits {
    ($($key:ident = $default:literal $unit:literal $code:ident $doc:literal)*) => {
        /// The limits in force. `0` switches a limit off.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $(#[doc = $doc] pub $key: u64,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        impl Limits {
            /// The table of all limits.
            pub const ROWS: &[LimitRow] = &[$(LimitRow {
                key: stringify!($key), default: $default, unit: $unit, code: Code::$code, doc: $doc,
            }),*];

            /// Every limit with its value, in the order of the table.
            pub fn values(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($key), self.$key)),*]
            }

            /// Sets one limit by its key; `false` where there is no such key.
            pub fn set(&mut self, key: &str, value: u64) -> bool {
                match key {
                    $(stringify!($key) => self.$key = value,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

limits! {
    frame_bytes = 65536 "bytes" TooLarge "Largest message, whole or in fragments."
    json_depth = 32 "levels" TooDeep "Deepest nesting of JSON in a message."
    frames_per_second = 50 "frames/s" RateLimited "Frames that one socket may send per second, in the long run."
    frames_burst = 200 "frames" RateLimited "Frames that one socket may send at once."
    sockets = 100000 "sockets" Overloaded "Sockets in all."
    sockets_per_address = 200 "sockets" TooManySockets "Sockets of one IPv4 address or one IPv6 /64."
    sockets_per_network = 2000 "sockets" TooManySockets "Sockets of one IPv4 /24 or one IPv6 /48."
    handshakes = 10000 "sockets" TooManyHandshakes "Sockets that have not proved themselves yet."
    handshake_ms = 10000 "ms" HelloLate "Time from the opened socket to a good hello."
    idle_ms = 75000 "ms" Idle "Time without any sign of life after which a socket is closed."
    ping_ms = 25000 "ms" Idle "Time without any sign of life after which a ping is sent."
    queue_bytes = 1048576 "bytes" SlowReader "Bytes that may wait for one socket, or be held for an absent one to resume."
    queue_frames = 1024 "frames" SlowReader "Frames that may be held for one session until it confirms them."
    sessions_per_id = 16 "sessions" TooManySessions "Sessions (devices) of one id."
    sessions_per_namespace = 0 "sessions" NamespaceFull "Sessions of one namespace."
    watches = 256 "ids" TooManyWatches "Ids that one session watches."
    rooms_per_session = 32 "rooms" TooManyRooms "Rooms that one session is in."
    rooms = 100000 "rooms" NamespaceFull "Rooms in all."
    members_per_room = 1000 "members" RoomFull "Members of one room, whatever capacity its host asks for."
    topics_per_session = 64 "topics" TooManyTopics "Topics that one session subscribes to."
    topics = 100000 "topics" NamespaceFull "Topics in all."
    networks_per_session = 4 "networks" TooManyNetworks "Networks that one session is in."
    nodes_per_network = 1000 "nodes" RoomFull "Nodes of one network."
    swarms_per_session = 64 "swarms" TooManySwarms "Swarms that one session is in."
    swarms = 100000 "swarms" NamespaceFull "Swarms in all."
    swarm_want = 20 "peers" BadField "Peers handed out of a swarm in one answer."
    stored_per_id = 64 "signals" TooManyStored "Signals stored for one absent id."
    stored_bytes_per_id = 262144 "bytes" TooManyStored "Bytes stored for one absent id."
    stored_bytes = 67108864 "bytes" TooManyStored "Bytes stored for absent ids in all."
    stored_seconds = 604800 "s" BadField "Longest time that a sender may ask a signal to be stored."
    waiting_per_id = 64 "requests" TooManyWaiting "Requests that wait for an outside answer about one id."
    names_per_key = 8 "names" TooManyNames "Names that one key speaks for."
    keys_per_name = 8 "keys" TooManyKeys "Keys that speak for one name."
    meta_bytes = 4096 "bytes" TooLarge "Metadata of a room, of a member or of a node."
    state_bytes = 16384 "bytes" TooLarge "State that a host leaves for the next one."
    bans_per_room = 256 "ids" TooLarge "Ids that one room bans."
    guesses_per_minute = 30 "misses/min" TooManyGuesses "Unknown ids, rooms and codes and wrong passwords of one address, in the long run."
    guesses_burst = 60 "misses" TooManyGuesses "Unknown ids, rooms and codes and wrong passwords of one address at once."
    relay_bytes_per_second = 131072 "bytes/s" RateLimited "Bytes per second that one session may have relayed, in the long run. 0 switches the relay off: 4305."
    relay_bytes_burst = 524288 "bytes" RateLimited "Bytes that one session may have relayed at once."
    relay_bytes_per_second_in_all = 8388608 "bytes/s" RateLimited "Bytes per second that all sessions together may have relayed."
    relay_frames_per_second = 20 "frames/s" RateLimited "Relayed frames of one session per second, in the long run; twice as many at once."
    broadcasts_per_minute = 6 "messages/min" RateLimited "Namespace-wide broadcasts of one session."
}

impl Limits {
    /// The keys of the limits that are switched off.
    pub fn off(&self) -> Vec<&'static str> {
        self.values().into_iter().filter(|(_, value)| *value == 0).map(|(key, _)| key).collect()
    }
}

/// Whether adding one to `count` would go over `limit`, where `0` is no limit.
pub const fn is_full(count: usize, limit: u64) -> bool {
    limit != 0 && count as u64 >= limit
}
