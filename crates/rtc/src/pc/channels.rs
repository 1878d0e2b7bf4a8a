//! The channels of a connection: what waits to be opened, what waits to be sent, and how they are called on both sides of the library.

use std::collections::VecDeque;

use str0m::Rtc;
use str0m::channel::{ChannelConfig, ChannelId, Reliability as Hardness};

use super::{ChannelKey, Event};
use crate::channel::{ChannelInit, Message, Reliability};
use crate::error::Error;
use crate::settings::CHANNELS_MAX;

/// The highest number that a channel may have.
const NUMBER_MAX: u16 = 65_534;
const LABEL_BYTES_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The library does not know of it yet.
    Wanted,
    /// The library was told.
    Opening,
    Open,
    /// It closes when all that was said on it has arrived.
    Closing,
    /// The library was told so.
    Closed,
}

struct Entry {
    key: ChannelKey,
    init: ChannelInit,
    id: Option<ChannelId>,
    standing: Standing,
    queue: VecDeque<Message>,
    /// The library has enough of this channel, and will say when it has not.
    full: bool,
}

#[derive(Default)]
pub(super) struct Channels {
    entries: Vec<Entry>,
    next: u32,
    /// Whose turn it is to send.
    turn: usize,
}

impl Channels {
    /// Takes down a channel that is wanted.
    pub(super) fn want(&mut self, rtc: &mut Rtc, init: ChannelInit) -> Result<ChannelKey, Error> {
        if self.entries.len() >= CHANNELS_MAX {
            return Err(Error::Channel("there are too many already"));
        }
        if init.label.len() > LABEL_BYTES_MAX || init.protocol.len() > LABEL_BYTES_MAX {
            return Err(Error::Channel("its name is too long"));
        }
        if let Some(number) = init.negotiated {
            let ours = self.entries.iter().any(|entry| entry.init.negotiated == Some(number));
            if ours || rtc.direct_api().channel_id_by_sctp_stream_id(number).is_some() {
                return Err(Error::Channel("its number is taken"));
            }
            if number > NUMBER_MAX {
                return Err(Error::Channel("its number is too large"));
            }
        }
        let key = self.key();
        self.entries.push(Entry {
            key,
            init,
            id: None,
            standing: Standing::Wanted,
            queue: VecDeque::new(),
            full: false,
        });
        Ok(key)
    }

    /// The first one that the library does not know of: the first offer is made with it.
    pub(super) fn first_wanted(&self) -> Option<(ChannelKey, ChannelConfig)> {
        let entry = self.entries.iter().find(|entry| entry.standing == Standing::Wanted)?;
        Some((entry.key, config(&entry.init)))
    }

    /// The library was told of it.
    pub(super) fn told(&mut self, key: ChannelKey, id: ChannelId) {
        if let Some(entry) = self.of(key) {
            entry.id = Some(id);
            entry.standing = Standing::Opening;
        }
    }

    /// The library forgot all that it was told, because it is another one now.
    pub(super) fn forgotten(&mut self) {
        for entry in &mut self.entries {
            entry.id = None;
            entry.full = false;
            entry.standing = Standing::Wanted;
        }
    }

    /// Tells the library of all that are wanted. The ends have agreed to have channels.
    pub(super) fn open_wanted(&mut self, rtc: &mut Rtc) {
        while let Some((key, config)) = self.first_wanted() {
            let id = rtc.direct_api().create_data_channel(config);
            self.told(key, id);
        }
    }

    /// The library says that one is open.
    pub(super) fn opened(&mut self, rtc: &mut Rtc, id: ChannelId, label: String, mut emit: impl FnMut(Event)) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == Some(id)) {
            if entry.standing == Standing::Opening {
                entry.standing = Standing::Open;
                emit(Event::ChannelOpened(entry.key));
            }
            return;
        }
        let known = rtc.channel(id).and_then(|channel| channel.config().cloned());
        if self.entries.len() >= CHANNELS_MAX || label.len() > LABEL_BYTES_MAX {
            rtc.direct_api().close_data_channel(id);
            return;
        }
        let init = match known {
            Some(config) => init(&config),
            None => ChannelInit::new(label),
        };
        let key = self.key();
        emit(Event::Channel(key, init.clone()));
        self.entries.push(Entry {
            key,
            init,
            id: Some(id),
            standing: Standing::Open,
            queue: VecDeque::new(),
            full: false,
        });
    }

    /// The library says that one is closed.
    pub(super) fn closed(&mut self, id: ChannelId, mut emit: impl FnMut(Event)) {
        if let Some(place) = self.entries.iter().position(|entry| entry.id == Some(id)) {
            emit(Event::ChannelClosed(self.entries.remove(place).key));
        }
    }

    /// The library says that it has little of this one left.
    pub(super) fn low(&mut self, id: ChannelId) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == Some(id)) {
            entry.full = false;
        }
    }

    pub(super) fn key_of(&self, id: ChannelId) -> Option<ChannelKey> {
        self.entries.iter().find(|entry| entry.id == Some(id)).map(|entry| entry.key)
    }

    pub(super) fn push(&mut self, key: ChannelKey, message: Message) -> Result<(), Error> {
        let entry = self.of(key).ok_or(Error::Closed)?;
        if matches!(entry.standing, Standing::Closing | Standing::Closed) {
            return Err(Error::Closed);
        }
        entry.queue.push_back(message);
        Ok(())
    }

    /// Ends a channel when all that waits on it has left.
    pub(super) fn close(&mut self, key: ChannelKey, mut emit: impl FnMut(Event)) {
        let Some(entry) = self.of(key) else { return };
        match entry.standing {
            Standing::Wanted => {
                self.entries.retain(|entry| entry.key != key);
                emit(Event::ChannelClosed(key));
            }
            Standing::Opening | Standing::Open => entry.standing = Standing::Closing,
            Standing::Closing | Standing::Closed => {}
        }
    }

    /// Hands the library one message, of the next channel that has one and room for it, or ends one that has nothing more to say.
    /// True if there was something: the library must then be heard before the next. It gets no more of a channel than this and one message.
    pub(super) fn step(&mut self, rtc: &mut Rtc, most: usize, mut emit: impl FnMut(Event)) -> bool {
        let count = self.entries.len();
        for offset in 0..count {
            let place = (self.turn + offset) % count;
            let entry = &mut self.entries[place];
            let Some(id) = entry.id.filter(|_| !entry.full) else { continue };
            let Some(message) = entry.queue.front() else {
                if entry.standing == Standing::Closing
                    && rtc.channel(id).is_none_or(|mut channel| channel.buffered_amount() == 0)
                {
                    entry.standing = Standing::Closed;
                    rtc.direct_api().close_data_channel(id);
                    return true;
                }
                continue;
            };
            let Some(mut channel) = rtc.channel(id) else { continue };
            match channel.write(message.is_binary(), message.bytes()) {
                Ok(false) => {}
                Ok(true) => {
                    emit(Event::Room(entry.key, message.cost()));
                    entry.queue.pop_front();
                    if channel.buffered_amount() >= most {
                        channel.set_buffered_amount_low_threshold(most / 2);
                        entry.full = true;
                    }
                    self.turn = place + 1;
                    return true;
                }
                Err(_) => {
                    entry.queue.clear();
                    entry.standing = Standing::Closed;
                    rtc.direct_api().close_data_channel(id);
                    return true;
                }
            }
        }
        false
    }

    /// Whether `step` may have something to do.
    pub(super) fn is_busy(&self) -> bool {
        self.entries.iter().any(|entry| !entry.full && (!entry.queue.is_empty() || entry.standing == Standing::Closing))
    }

    /// What waits in the library on this channel, and is not known to have arrived.
    pub(super) fn underway(&self, rtc: &mut Rtc, key: ChannelKey) -> usize {
        let id = self.entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.id);
        id.and_then(|id| rtc.channel(id)).map_or(0, |mut channel| channel.buffered_amount())
    }

    fn of(&mut self, key: ChannelKey) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    fn key(&mut self) -> ChannelKey {
        self.next += 1;
        ChannelKey(self.next)
    }
}

fn config(init: &ChannelInit) -> ChannelConfig {
    ChannelConfig {
        label: init.label.clone(),
        ordered: init.ordered,
        reliability: match init.reliability {
            Reliability::Reliable => Hardness::Reliable,
            Reliability::Milliseconds(lifetime) => Hardness::MaxPacketLifetime { lifetime },
            Reliability::Retransmits(retransmits) => Hardness::MaxRetransmits { retransmits },
        },
        negotiated: init.negotiated,
        protocol: init.protocol.clone(),
    }
}

fn init(config: &ChannelConfig) -> ChannelInit {
    ChannelInit {
        label: config.label.clone(),
        protocol: config.protocol.clone(),
        ordered: config.ordered,
        reliability: match config.reliability {
            Hardness::Reliable => Reliability::Reliable,
            Hardness::MaxPacketLifetime { lifetime } => Reliability::Milliseconds(lifetime),
            Hardness::MaxRetransmits { retransmits } => Reliability::Retransmits(retransmits),
        },
        negotiated: config.negotiated,
    }
}
