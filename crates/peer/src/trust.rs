//! Which key belongs to which id: the hash of itself, or the one that was seen first.

use std::collections::BTreeMap;

use wigwag_wire::id::IdForm;
use wigwag_wire::{PeerId, PublicKey};

/// How sure it is that a key belongs to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The id is the key's hash.
    Key,
    /// The key was there before, or was told beforehand.
    Pinned,
    /// It is the first key seen with this name.
    First,
    /// The id says nothing.
    Guest,
}

/// Somebody answered for an id with another key than the one that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("somebody answered for {id} with another key than the one that belongs to it")]
pub struct KeyMismatch {
    /// Whose key it should have been.
    pub id: PeerId,
    /// The key that came.
    pub key: PublicKey,
}

/// Where the keys that belong to names are kept. What keeps them on a disk holds them in memory too, for this does not wait.
pub trait Pins {
    /// The key that is known for a name of a namespace.
    fn read(&self, namespace: &str, name: &PeerId) -> Option<PublicKey>;

    /// Takes this key for the name's from now on.
    fn pin(&mut self, namespace: &str, name: &PeerId, key: PublicKey);

    /// Takes this key for the name's where it has none, and says which one it has then: where several programs share pins, another may have
    /// been faster.
    fn meet(&mut self, namespace: &str, name: &PeerId, key: PublicKey) -> PublicKey {
        self.pin(namespace, name, key);
        key
    }
}

/// Pins for as long as the program runs.
#[derive(Clone, Debug, Default)]
pub struct MemoryPins(BTreeMap<(String, PeerId), PublicKey>);

impl Pins for MemoryPins {
    fn read(&self, namespace: &str, name: &PeerId) -> Option<PublicKey> {
        self.0.get(&(namespace.to_owned(), name.clone())).copied()
    }

    fn pin(&mut self, namespace: &str, name: &PeerId, key: PublicKey) {
        self.0.insert((namespace.to_owned(), name.clone()), key);
    }
}

/// How sure it is that `key` is the one of `id`. `expected` is a key that came by another way.
pub fn check(
    pins: &mut dyn Pins,
    namespace: &str,
    id: &PeerId,
    key: &PublicKey,
    expected: Option<&PublicKey>,
) -> Result<Verified, KeyMismatch> {
    let mismatch = || KeyMismatch { id: id.clone(), key: *key };
    if expected.is_some_and(|expected| expected != key) {
        return Err(mismatch());
    }
    match id.form() {
        IdForm::Key if key.id() == *id => Ok(Verified::Key),
        IdForm::Key => Err(mismatch()),
        IdForm::Guest => Ok(if expected.is_some() { Verified::Pinned } else { Verified::Guest }),
        IdForm::Name | IdForm::Foreign => match pins.read(namespace, id) {
            Some(known) if known != *key => Err(mismatch()),
            Some(_) => Ok(Verified::Pinned),
            None => {
                if pins.meet(namespace, id, *key) != *key {
                    return Err(mismatch());
                }
                Ok(if expected.is_some() { Verified::Pinned } else { Verified::First })
            }
        },
    }
}
