//! Between a receiver's rules, its disk and the channel.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use wigwag_files::{Digest, Entry, FilePath, Offer, Reason, Receiver, Task};

pub use super::disk::Into;
use super::disk::{Disk, Failure, Kept};
use super::{Progress, Summary, Transfer, TransferError, farewell};
use crate::connection::{Channel, Message};

/// So much is handed to the disk before the channel waits.
const JOBS_MAX: usize = 16;

/// So many places are remembered.
const PLACES_MAX: usize = 1_000;

/// Most files that are taken at once.
const FILES_MAX: u64 = 1_000_000;

/// Files that the other side offers. Dropped without an answer, they are declined.
pub struct Offered {
    offer: Offer,
    held: Option<(Channel, Receiver)>,
}

impl Offered {
    /// Waits for what is offered on a channel of the label [`wigwag_files::LABEL`]; `None` where nothing is.
    pub async fn read(channel: Channel) -> Option<Self> {
        let (mut receiver, mut tasks) = (Receiver::default(), Vec::new());
        loop {
            hear(&mut receiver, channel.recv().await?, &mut tasks);
            match tasks.pop() {
                Some(Task::Ask(offer)) => return Some(Self { offer, held: Some((channel, receiver)) }),
                Some(_) => {
                    finish(&channel, tasks).await;
                    return None;
                }
                None => {}
            }
        }
    }

    /// What it is called for people.
    pub fn name(&self) -> &str {
        &self.offer.name
    }

    /// How many files.
    pub fn files(&self) -> u64 {
        self.offer.files
    }

    /// How many bytes in all.
    pub fn bytes(&self) -> u64 {
        self.offer.bytes
    }

    /// Waits until the other side takes it back, or is gone. Dropping the future loses nothing.
    pub async fn withdrawn(&mut self) {
        while let Some((channel, receiver)) = &mut self.held {
            let mut tasks = Vec::new();
            if let Some(message) = channel.recv().await {
                hear(receiver, message, &mut tasks);
                if tasks.is_empty() {
                    continue;
                }
                finish(channel, tasks).await;
            }
            self.held = None;
        }
    }

    /// Takes it. Goes on while the handle is there; dropped, it is cancelled.
    pub fn accept(mut self, into: Into) -> Transfer {
        let first = Progress { files_total: self.files(), bytes_total: self.bytes(), ..Progress::default() };
        let (tell, progress) = watch::channel(first);
        let (stop, stopped) = oneshot::channel();
        let (held, files) = (self.held.take(), self.files());
        let task = tokio::spawn(async move {
            let (channel, receiver) = held.ok_or(TransferError::Cut)?;
            let (jobs, told) = disk(into);
            let summary = Summary::default();
            let mut receiving = Receiving {
                channel,
                receiver,
                told,
                pending: VecDeque::new(),
                announced: VecDeque::new(),
                summary,
                why: None,
                tell,
            };
            let ended = receiving.run(files, jobs, stopped).await;
            // When it is over nobody writes any more, and the next may go on with what is there.
            while receiving.told.recv().await.is_some() {}
            ended
        });
        Transfer { progress, stop: Some(stop), task }
    }

    /// Does not take it, and says so.
    pub async fn decline(mut self) {
        if let Some((channel, receiver)) = self.held.take() {
            decline(channel, receiver).await;
        }
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        if let Some((channel, receiver)) = self.held.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(decline(channel, receiver));
        }
    }
}

impl std::fmt::Debug for Offered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Offered").field(&self.offer).finish()
    }
}

async fn decline(channel: Channel, mut receiver: Receiver) {
    let mut tasks = Vec::new();
    receiver.end(Reason::Declined, &mut tasks);
    finish(&channel, tasks).await;
}

/// Says what is left to be said, and closes.
async fn finish(channel: &Channel, tasks: Vec<Task>) {
    for task in tasks {
        if let Task::Say(said) = task {
            let _ = channel.send(Message::Json(said.write())).await;
        }
    }
    farewell(channel).await;
}

fn hear(receiver: &mut Receiver, message: Message, tasks: &mut Vec<Task>) {
    match message {
        Message::Json(json) => receiver.hear(&json, tasks),
        Message::Binary(bytes) => receiver.hear_bytes(bytes.len(), tasks),
        Message::Text(_) => {}
    }
}

/// What the disk is to do.
enum Job {
    Folder(FilePath),
    Look(Entry),
    Begin(u64),
    Write(Bytes),
    Finish(Digest),
}

/// What it has done.
enum Told {
    There(u64, Digest),
    Written(u64),
    Kept(Kept),
    Failed(Failure),
}

struct Receiving {
    channel: Channel,
    receiver: Receiver,
    told: mpsc::Receiver<Told>,
    /// Jobs for which the disk has no room yet: nothing more is read before.
    pending: VecDeque<Job>,
    /// Files that have not begun, by their numbers.
    announced: VecDeque<(u64, Arc<str>)>,
    summary: Summary,
    /// What the matter is, in words.
    why: Option<String>,
    tell: watch::Sender<Progress>,
}

impl Receiving {
    async fn run(
        &mut self,
        files: u64,
        jobs: mpsc::Sender<Job>,
        mut stopped: oneshot::Receiver<()>,
    ) -> Result<Summary, TransferError> {
        let (mut tasks, mut is_stopped) = (Vec::new(), false);
        if files > FILES_MAX {
            self.why = Some(format!("these are more than {FILES_MAX} files"));
            self.receiver.end(Reason::TooLarge, &mut tasks);
        }
        self.receiver.accept(&mut tasks);
        let mut bytes = None;
        loop {
            for task in tasks.drain(..) {
                match task {
                    Task::Say(said) => {
                        let sent = self.channel.send(Message::Json(said.write())).await;
                        sent.map_err(|_| TransferError::Cut)?;
                    }
                    Task::Ask(_) => {}
                    Task::Folder(path) => self.pending.push_back(Job::Folder(path)),
                    Task::Look(n, entry) => {
                        self.announced.push_back((n, entry.path.as_str().into()));
                        self.pending.push_back(Job::Look(entry));
                    }
                    Task::Begin { n, from } => {
                        while let Some((_, path)) = self.announced.pop_front_if(|(announced, _)| *announced <= n) {
                            self.tell.send_modify(|progress| progress.path = path);
                        }
                        self.pending.push_back(Job::Begin(from));
                    }
                    Task::Write(_) => self.pending.extend(bytes.take().map(Job::Write)),
                    Task::Finish { hash, .. } => self.pending.push_back(Job::Finish(hash)),
                    Task::Over(how) => {
                        self.show();
                        farewell(&self.channel).await;
                        self.summary.bytes = self.receiver.settled_bytes();
                        self.summary.crossed = self.receiver.crossed();
                        let summary = std::mem::take(&mut self.summary);
                        return how.map(|()| summary).map_err(|end| TransferError::of(end, self.why.take()));
                    }
                }
            }
            self.show();
            tokio::select! {
                room = jobs.reserve(), if !self.pending.is_empty() => {
                    if let (Ok(room), Some(job)) = (room, self.pending.pop_front()) {
                        room.send(job);
                    }
                }
                told = self.told.recv() => self.told(told, &mut tasks),
                message = self.channel.recv(), if self.pending.is_empty() => {
                    let message = message.ok_or(TransferError::Cut)?;
                    if let Message::Binary(came) = &message {
                        bytes = Some(came.clone());
                    }
                    hear(&mut self.receiver, message, &mut tasks);
                }
                _ = &mut stopped, if !is_stopped => {
                    is_stopped = true;
                    self.receiver.end(Reason::Cancelled, &mut tasks);
                }
            }
        }
    }

    fn told(&mut self, told: Option<Told>, tasks: &mut Vec<Task>) {
        match told {
            Some(Told::There(from, hash)) => self.receiver.take(from, hash, tasks),
            Some(Told::Written(bytes)) => self.receiver.written(bytes, tasks),
            Some(Told::Kept(kept)) => {
                self.summary.files += 1;
                self.summary.already += u64::from(kept.already);
                self.summary.renamed += u64::from(kept.renamed);
                if self.summary.places.len() < PLACES_MAX {
                    self.summary.places.push(kept.place);
                }
                self.receiver.kept(tasks);
            }
            Some(Told::Failed(Failure { reason, why })) => {
                self.why = Some(why);
                self.receiver.end(reason, tasks);
            }
            None => self.receiver.end(Reason::Disk, tasks),
        }
    }

    fn show(&self) {
        let Self { receiver, tell, .. } = self;
        super::show(tell, true, receiver.settled_files(), receiver.settled_bytes(), receiver.crossed());
    }
}

/// A thread that does one job after the other, until one fails or nobody has more.
fn disk(into: Into) -> (mpsc::Sender<Job>, mpsc::Receiver<Told>) {
    let (jobs, mut waiting) = mpsc::channel(JOBS_MAX);
    let (told, heard) = mpsc::channel(JOBS_MAX);
    tokio::task::spawn_blocking(move || {
        let mut disk = Disk::new(into);
        while let Some(job) = waiting.blocking_recv() {
            let done = match job {
                Job::Folder(path) => disk.folder(&path).map(|()| None),
                Job::Look(entry) => disk.look(entry).map(|(from, hash)| Some(Told::There(from, hash))),
                Job::Begin(from) => disk.begin(from).map(|()| None),
                Job::Write(bytes) => disk.write(&bytes).map(|()| Some(Told::Written(bytes.len() as u64))),
                Job::Finish(hash) => disk.finish(hash).map(|kept| Some(Told::Kept(kept))),
            };
            let is_over = done.is_err();
            let done = done.unwrap_or_else(|failure| Some(Told::Failed(failure)));
            if done.is_some_and(|done| told.blocking_send(done).is_err()) || is_over {
                return;
            }
        }
    });
    (jobs, heard)
}
