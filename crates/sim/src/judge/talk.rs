//! Messages to many: from each sender to each receiver in order, none twice.

use std::collections::BTreeMap;

/// The last that each receiver heard from each sender on each channel.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    last: BTreeMap<(usize, usize, String), u64>,
}

impl Talk {
    /// A receiver heard what a sender numbered `q`.
    pub(crate) fn heard(&mut self, receiver: usize, sender: usize, channel: &str, q: u64) -> Result<(), String> {
        match self.last.insert((receiver, sender, channel.to_owned()), q) {
            Some(last) if last >= q => {
                Err(format!("client {receiver} heard {q} of client {sender} in {channel} after {last}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether this was the last that a receiver heard there of that sender.
    pub(crate) fn was_last(&self, receiver: usize, sender: usize, channel: &str, q: u64) -> bool {
        self.last.get(&(receiver, sender, channel.to_owned())) == Some(&q)
    }
}
