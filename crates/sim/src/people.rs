//! Who the clients are: their ids, devices and namespaces, chosen so that many of them look alike.

use std::net::{IpAddr, Ipv4Addr};

use wigwag_peer::Hello;
use wigwag_testkit::{HelloFrame, TestKey};
use wigwag_wire::{Device, Namespace, PeerId};

use crate::dice::Dice;
use crate::plan::Plan;

/// How somebody is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Guest,
    Key,
    Name(String),
}

/// Who a client is, as far as it never changes.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// As in the hello: empty is the default one.
    namespace: &'static str,
    who: Who,
    key: TestKey,
    device: String,
    pub(crate) address: IpAddr,
}

/// Everyone. The same few keys and names come again in each namespace and on several devices.
pub(crate) fn crowd(plan: &Plan, dice: &mut Dice) -> Vec<Person> {
    let mut crowd: Vec<Person> = Vec::new();
    for _ in 0..plan.clients {
        let number = dice.below(plan.ids);
        let who = match number % 4 {
            0 => Who::Name(format!("peer{number}@sim.example")),
            3 => Who::Guest,
            _ => Who::Key,
        };
        let namespace = if plan.namespaces > 1 && dice.permille(400) { "elsewhere" } else { "" };
        let key = TestKey::new(number + 1);
        let same = |p: &&Person| p.namespace == namespace && p.key.id() == key.id() && p.who == who;
        let device = match crowd.iter().filter(same).count() {
            0 => String::new(),
            others => format!("device-{others}"),
        };
        let address = Ipv4Addr::new(192, 0, 2, dice.between(1, 3) as u8).into();
        crowd.push(Person { namespace, who, key, device, address });
    }
    crowd
}

impl Person {
    /// The namespace's name.
    pub(crate) fn ns(&self) -> &'static str {
        if self.namespace.is_empty() { "default" } else { self.namespace }
    }

    /// The device's name.
    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// The id, unless the server makes it.
    pub(crate) fn id(&self) -> Option<String> {
        match &self.who {
            Who::Guest => None,
            Who::Key => Some(self.key.id().to_string()),
            Who::Name(name) => Some(name.clone()),
        }
    }

    /// What a native client says of it.
    pub(crate) fn introduction(&self) -> Hello {
        Hello {
            namespace: Namespace::new(self.namespace).ok(),
            id: self.id().filter(|_| matches!(self.who, Who::Name(_))).and_then(|id| PeerId::new(&id).ok()),
            device: Device::new(&self.device).ok(),
            key: (self.who != Who::Guest).then(|| self.key.public()),
        }
    }

    /// Its key, which a guest has too, for its calls.
    pub(crate) fn key(&self) -> TestKey {
        self.key.clone()
    }

    /// A signature over what a server wants signed.
    pub(crate) fn sign(&self, statement: &[u8]) -> String {
        self.key.sign(statement)
    }

    /// The answer to a challenge.
    pub(crate) fn hello(&self, challenge: &str, resume: Option<(&str, u64)>) -> String {
        let mut hello = HelloFrame::new();
        if !self.namespace.is_empty() {
            hello = hello.namespace(self.namespace);
        }
        if !self.device.is_empty() {
            hello = hello.device(&self.device);
        }
        if let Who::Name(name) = &self.who {
            hello = hello.id(name);
        }
        if let Some((token, seen)) = resume {
            hello = hello.resume(token, seen);
        }
        match self.who {
            Who::Guest => hello.guest(),
            _ => hello.prove(&self.key, challenge),
        }
    }
}
