//! Matchbox.
