//! WatchParty.
