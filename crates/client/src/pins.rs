//! The keys of names, shared by everything that looks at them.

use std::sync::Arc;

use parking_lot::Mutex;
use wigwag_peer::trust::Pins;
use wigwag_wire::{PeerId, PublicKey};

/// One set of pins in several hands.
#[derive(Clone)]
pub(crate) struct SharedPins(Arc<Mutex<Box<dyn Pins + Send>>>);

impl SharedPins {
    pub(crate) fn new(pins: Box<dyn Pins + Send>) -> Self {
        Self(Arc::new(Mutex::new(pins)))
    }
}

impl Pins for SharedPins {
    fn read(&self, namespace: &str, name: &PeerId) -> Option<PublicKey> {
        self.0.lock().read(namespace, name)
    }

    fn pin(&mut self, namespace: &str, name: &PeerId, key: PublicKey) {
        self.0.lock().pin(namespace, name, key);
    }

    fn meet(&mut self, namespace: &str, name: &PeerId, key: PublicKey) -> PublicKey {
        self.0.lock().meet(namespace, name, key)
    }
}
