//! Between a sender's rules, its disk and the channel.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use wigwag_files::{Reason, Sender, Step};

use super::gather::Files;
use super::read::{Told, read};
use super::{Progress, Summary, Transfer, TransferError, farewell};
use crate::connection::{Channel, Message};

/// Begins to send.
pub(super) fn start(channel: Channel, files: Arc<Files>) -> Transfer {
    let first = Progress { files_total: files.count(), bytes_total: files.bytes(), ..Progress::default() };
    let (tell, progress) = watch::channel(first);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let mut steps = Vec::new();
        let sender = Sender::new(files.name(), files.entries.clone(), &mut steps);
        let mut sending = Sending { channel, files, sender, steps, reads: None, wants: false, why: None, tell };
        sending.run(stopped).await
    });
    Transfer { progress, stop: Some(stop), task }
}

struct Sending {
    channel: Channel,
    files: Arc<Files>,
    sender: Sender,
    steps: Vec<Step>,
    /// The file that is open.
    reads: Option<mpsc::Receiver<Told>>,
    /// Whether its next news are wanted.
    wants: bool,
    /// What the matter is, in words.
    why: Option<String>,
    tell: watch::Sender<Progress>,
}

impl Sending {
    async fn run(&mut self, mut stopped: oneshot::Receiver<()>) -> Result<Summary, TransferError> {
        let mut is_stopped = false;
        loop {
            let mut todo = VecDeque::from(std::mem::take(&mut self.steps));
            while let Some(step) = todo.pop_front() {
                match step {
                    Step::Say(said) => {
                        let message = Message::Json(said.write());
                        tokio::select! {
                            sent = self.channel.send(message) => sent.map_err(|_| TransferError::Cut)?,
                            // The other side does not read, and we do not wait for it.
                            _ = &mut stopped, if !is_stopped => {
                                return Err(TransferError::Ours(Reason::Cancelled, "it was cancelled".into()));
                            }
                        }
                    }
                    Step::Open { entry, from, hash } => {
                        let (place, size) = (self.files.places[entry].clone(), self.files.entries[entry].size());
                        self.reads = Some(read(place, size, from, hash));
                        self.wants = true;
                        let path = self.files.entries[entry].path.as_str().into();
                        self.tell.send_modify(|progress| progress.path = path);
                    }
                    Step::Piece(_) => self.wants = true,
                    Step::Over(how) => {
                        self.show();
                        self.reads = None;
                        farewell(&self.channel).await;
                        return how.map(|()| self.summary()).map_err(|end| TransferError::of(end, self.why.take()));
                    }
                }
            }
            self.show();
            tokio::select! {
                heard = self.channel.recv() => match heard {
                    Some(Message::Json(json)) => self.sender.hear(&json, &mut self.steps),
                    Some(Message::Binary(_)) => self.sender.hear_bytes(&mut self.steps),
                    Some(Message::Text(_)) => {}
                    None => return Err(TransferError::Cut),
                },
                told = next(&mut self.reads), if self.wants => self.read(told).await?,
                _ = &mut stopped, if !is_stopped => {
                    is_stopped = true;
                    self.sender.end(Reason::Cancelled, &mut self.steps);
                }
            }
        }
    }

    async fn read(&mut self, told: Option<Told>) -> Result<(), TransferError> {
        self.wants = false;
        match told {
            Some(Told::Opened(from, hash)) => self.sender.opened(from, hash, &mut self.steps),
            Some(Told::Piece(piece, hash)) => {
                let bytes = piece.len() as u64;
                self.channel.send(piece).await.map_err(|_| TransferError::Cut)?;
                self.sender.sent(bytes, hash, &mut self.steps);
            }
            Some(Told::Failed(why)) => {
                self.why = Some(why);
                self.sender.end(Reason::Changed, &mut self.steps);
            }
            None => self.sender.end(Reason::Changed, &mut self.steps),
        }
        Ok(())
    }

    fn show(&self) {
        let Self { sender, tell, .. } = self;
        super::show(tell, sender.is_accepted(), sender.settled_files(), sender.settled_bytes(), sender.crossed());
    }

    fn summary(&self) -> Summary {
        Summary {
            files: self.sender.settled_files(),
            bytes: self.sender.settled_bytes(),
            crossed: self.sender.crossed(),
            ..Summary::default()
        }
    }
}

async fn next(reads: &mut Option<mpsc::Receiver<Told>>) -> Option<Told> {
    match reads {
        Some(reads) => reads.recv().await,
        None => None,
    }
}
