//! How much happened: a run in which nothing happens proves nothing.

use std::fmt;
use std::ops::AddAssign;

macro_rules! counts {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// How much happened in a run, or in several.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        impl Counts {
            /// Every count with its name.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    /// Frames that clients got.
    frames,
    /// Signals sent.
    signals,
    /// Of these, how many arrived.
    arrived,
    /// Of these, how many were reported lost.
    lost,
    /// Signals that a store kept.
    stored,
    /// Signals that went from one server to another.
    carried,
    /// Sockets that were cut.
    cuts,
    /// Sockets that were given up for another before they were lost.
    roamed,
    /// Sessions that were resumed.
    resumed,
    /// Messages that were missed for good.
    missed,
    /// Sockets that were closed because they were not read.
    slow,
    /// Sockets that were closed because nobody said hello.
    late,
    /// Sessions that the operator ended and rooms that it closed.
    removed,
    /// Requests that made no sense.
    nonsense,
    /// Servers that stopped or died.
    restarts,
    /// Requests that were refused.
    refused,
    /// Of these, because there was no room.
    full,
    /// Native clients that went to another server.
    failovers,
    /// Native clients that came home.
    homecomings,
    /// Requests of native clients that were given up.
    given,
    /// Connections of native clients that opened, on either side.
    calls,
    /// Boxes of connections that a hub was to relay.
    relayed,
    /// Times that a connection took another way.
    moved,
    /// Words that came over connections.
    words,
    /// Wishes to connect of which nothing came.
    uncalled,
    /// Times that a client and a server lost sight of each other.
    partitions,
    /// Presences told.
    presence,
    /// Changes of a room's host that were seen.
    hosts,
    /// Messages to many that had to reach everyone when all was quiet.
    probes,
}

impl Counts {
    /// What never happened.
    pub fn absent(&self) -> Vec<&'static str> {
        self.all().into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, count)) in self.all().into_iter().enumerate() {
            write!(f, "{}{count} {name}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
