//! A signal that waits for an absent peer, and the form in which signals leave the hub.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_wire::{Device, PeerId};

use crate::time::Wall;

/// One stored signal.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) number: u64,
    pub(crate) expires: Wall,
    pub(crate) record: Bytes,
}

/// A signal as it leaves the hub: to the store, or to another place.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    pub(crate) from: PeerId,
    pub(crate) device: Device,
    pub(crate) kind: String,
    /// Only for this device of the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to_device: Option<String>,
    pub(crate) sent: Wall,
    #[serde(borrow)]
    pub(crate) data: &'a RawValue,
}

impl<'a> Record<'a> {
    pub(crate) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
