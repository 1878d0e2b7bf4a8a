//! Groups of one kind by namespace and name: found without making a key, written out in the order of their names.

use foldhash::quality::FixedState;
use hashbrown::{Equivalent, HashMap};
use wigwag_wire::Namespace;

use crate::ids::{GroupKey, GroupKind};

/// Tables no larger than this are not worth making smaller.
const SMALL: usize = 64;

/// The groups of one kind in one shard.
pub(crate) struct Table<T> {
    kind: GroupKind,
    by_key: HashMap<GroupKey, T, FixedState>,
}

/// A [`GroupKey`] in parts. Hashes as the whole does.
#[derive(Hash)]
struct KeyRef<'a> {
    kind: GroupKind,
    ns: &'a Namespace,
    name: &'a str,
}

impl Equivalent<GroupKey> for KeyRef<'_> {
    fn equivalent(&self, key: &GroupKey) -> bool {
        self.kind == key.kind && *self.name == *key.name && *self.ns == key.ns
    }
}

impl<T> Table<T> {
    pub(crate) fn new(kind: GroupKind, hasher: FixedState) -> Self {
        Self { kind, by_key: HashMap::with_hasher(hasher) }
    }

    pub(crate) fn find(&self, ns: &Namespace, name: &str) -> Option<(&GroupKey, &T)> {
        self.by_key.get_key_value(&KeyRef { kind: self.kind, ns, name })
    }

    /// The group with the one key that all its members share.
    pub(crate) fn find_mut(&mut self, ns: &Namespace, name: &str) -> Option<(&GroupKey, &mut T)> {
        self.by_key.get_key_value_mut(&KeyRef { kind: self.kind, ns, name })
    }

    /// The key of a group, whether it is there or not.
    pub(crate) fn key(&self, ns: &Namespace, name: &str) -> GroupKey {
        match self.find(ns, name) {
            Some((key, _)) => key.clone(),
            None => GroupKey { kind: self.kind, ns: ns.clone(), name: name.into() },
        }
    }

    /// The group of a key; made where it is not there.
    pub(crate) fn of(&mut self, key: GroupKey, make: impl FnOnce() -> T) -> &mut T {
        self.by_key.entry(key).or_insert_with(make)
    }

    pub(crate) fn get_mut(&mut self, key: &GroupKey) -> Option<&mut T> {
        self.by_key.get_mut(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub(crate) fn contains(&self, key: &GroupKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(crate) fn remove(&mut self, key: &GroupKey) {
        self.by_key.remove(key);
        // What a flood of names made is given back, a part at a time.
        if self.by_key.capacity() > SMALL && self.by_key.len() * 8 < self.by_key.capacity() {
            self.by_key.shrink_to(self.by_key.len() * 2);
        }
    }

    /// All groups, by namespace and name.
    #[expect(clippy::disallowed_methods, reason = "sorted before anyone sees it")]
    pub(crate) fn sorted(&self) -> Vec<(&GroupKey, &T)> {
        let mut all: Vec<_> = self.by_key.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }
}
