//! What two who came together without a key that vouched for it sign over their open channel.

use std::collections::BTreeSet;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

/// What the one who signs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelSide {
    /// It made the offer.
    Offerer,
    /// It accepted it.
    Acceptor,
}

/// The fingerprints of a description, as they are signed; empty where there are none.
pub fn fingerprints(sdp: &str) -> String {
    let all: BTreeSet<String> = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=fingerprint:")?.trim().split_once(' '))
        .map(|(hash, value)| format!("{} {}", hash.to_lowercase(), value.trim().to_uppercase()))
        .collect();
    all.into_iter().collect::<Vec<_>>().join(",")
}

/// What is signed: by whom, and over the fingerprints of the offerer and the acceptor.
pub fn proof_statement(side: ChannelSide, namespace: &str, id: &str, key: &str, prints: [&str; 2]) -> String {
    let side = match side {
        ChannelSide::Offerer => "offerer",
        ChannelSide::Acceptor => "acceptor",
    };
    let [offerer, acceptor] = prints;
    format!("wigwag.1 channel\n{side}\n{namespace}\n{id}\n{key}\n{offerer}\n{acceptor}")
}

/// What a guest is called on such a channel, on both sides; it means nothing elsewhere.
pub fn guest_id(prints: [&str; 2]) -> String {
    let [offerer, acceptor] = prints;
    let hash = BASE32_NOPAD.encode(&Sha256::digest(format!("{offerer}\n{acceptor}"))).to_lowercase();
    format!("~{}", &hash[..20])
}
