//! Waiting for many sockets at once, and what a process must be allowed for that.

use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::time::Duration;

use anyhow::Result;
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A set of sockets that is waited for together, and the buffers that they share.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
    /// Empty buffers: a socket has one only while something waits to be written.
    spare: Vec<Vec<u8>>,
}

/// Most sockets that are told at once.
const AT_ONCE: usize = 512;

/// Most buffers that are kept for later.
const SPARE_MAX: usize = 64;

impl Poll {
    /// An empty set.
    pub fn new() -> Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, spare: Vec::new() })
    }

    /// Watches `source` for something to read, under the number `key`.
    pub fn add(&self, source: impl rustix::fd::AsFd, key: usize) -> Result<()> {
        Ok(epoll::add(&self.epoll, source, epoll::EventData::new_u64(key as u64), epoll::EventFlags::IN)?)
    }

    /// Watches for room to write too, or no longer.
    pub(crate) fn want_room(&self, source: impl rustix::fd::AsFd, key: usize, wanted: bool) -> Result<()> {
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, wanted);
        Ok(epoll::modify(&self.epoll, source, epoll::EventData::new_u64(key as u64), flags)?)
    }

    /// Watches it no longer.
    pub(crate) fn forget(&self, source: impl rustix::fd::AsFd) -> Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Waits for at most `time`, or for as long as it takes, and puts the numbers of those that are ready into `keys`.
    pub fn wait(&mut self, time: Option<Duration>, keys: &mut Vec<usize>) -> Result<()> {
        let timeout = time.map(|time| rustix::event::Timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        keys.clear();
        let mut room = [const { MaybeUninit::uninit() }; AT_ONCE];
        match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((ready, _)) => {
                keys.extend(ready.iter().map(|event| usize::try_from(event.data.u64()).unwrap_or(usize::MAX)));
                Ok(())
            }
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn borrow_buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE_MAX {
            self.spare.push(buffer);
        }
    }
}

/// Lets this process hold as many sockets as the system allows it at most, and says how many that is.
pub fn raise_descriptors() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it cannot be raised, what is in force is told.
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).ok();
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Lets the timers of this thread be late by a microsecond instead of fifty.
pub fn precise_timers() {
    // Where that is not to be had, what is due comes a little later, and is counted so.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000)).ok();
}
