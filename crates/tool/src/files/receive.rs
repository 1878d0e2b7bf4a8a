//! `wigwag receive`.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};

use anyhow::anyhow;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::task::JoinSet;
use wigwag::files::{Into, Offered, Reason, TransferError};
use wigwag::{CallError, Connection, ConnectionState, Incoming, JoinOptions, Wigwag};

use super::meet::Meeting;
use super::place::{self, Place, TITLE};
use super::send::{is_sender, secret};
use super::show::{Show, clean, count, size};
use super::{Outcome, cancel, failure, follow};
use crate::args::ReceiveArgs;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::session;

/// So many may offer something at a time.
const OFFERS_MAX: usize = 32;

/// Receives, and returns when it is here.
pub(crate) fn run(out: &mut Out, args: &ReceiveArgs) -> Result<Exit, Failure> {
    let runtime = session::runtime()?;
    let done = runtime.block_on(async {
        let place = match args.code.as_slice() {
            [] => None,
            code => Some(place::read(code).map_err(|why| Exit::Usage.because(why))?),
        };
        let asks = !args.yes && !args.json && std::io::stdin().is_terminal();
        if place.is_none() && !args.yes && !asks {
            let why = "nobody can be asked here: --yes takes whatever comes, with --from ID only what one peer sends";
            return Err(Exit::Usage.because(anyhow!(why)));
        }
        let client = session::open(&args.peer).await?;
        let mut show = Show::new(out, args.json);
        let way = way(&client, place, args, &mut show).await?;
        let mut taker = Taker {
            into: Into { folder: args.into.clone(), overwrite: args.overwrite },
            answers: asks.then(|| BufReader::new(tokio::io::stdin()).lines()),
            taken: None,
            way,
            offers: JoinSet::new(),
            waiting: VecDeque::new(),
        };
        let received = taker.run(&mut show).await;
        if let Way::Meeting(meeting) = &taker.way {
            meeting.leave().await;
        }
        drop(taker);
        client.close().await;
        received
    });
    // A read of the terminal that nobody ends would hold the process.
    runtime.shutdown_background();
    done
}

/// How the other side comes here.
enum Way {
    Anybody { incoming: Incoming, only: Option<String>, tries: JoinSet<Result<Connection, CallError>> },
    Meeting(Meeting),
}

async fn way(client: &Wigwag, place: Option<Place>, args: &ReceiveArgs, show: &mut Show<'_>) -> Result<Way, Failure> {
    let incoming = client.incoming().await;
    let Some(place) = place else {
        let (id, flags) = (client.id(), session::server_flags(&args.peer));
        let words = format!("I am {id}\nOn the other machine:\n\n  wigwag send {flags}FILE… {id}\n");
        show.say("waiting", json!({"id": id}), &words)?;
        return Ok(Way::Anybody { incoming, only: args.from.clone(), tries: JoinSet::new() });
    };
    let me = Some(json!({"name": "wigwag receive"}));
    let options = JoinOptions { me, ..JoinOptions::default() };
    let (room, wants): (_, fn(&wigwag::Member) -> bool) = match place {
        Place::Words(code) => (client.join_secret(&secret(code).await?, TITLE, options).await, is_sender),
        Place::Room(name) => (client.join_with(&name, options).await, |_| true),
        Place::JoinCode(code) => (client.join_by_code(&code, options).await, |_| true),
    };
    let meeting = Meeting::new(client, incoming, room.map_err(session::refused)?, args.peer.timeout, wants);
    show.say("waiting", json!({}), "Waiting for the other side. Ctrl-C ends it.")?;
    Ok(Way::Meeting(meeting))
}

impl Way {
    /// The next connection. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Connection, Failure> {
        let Self::Anybody { incoming, only, tries } = self else {
            let Self::Meeting(meeting) = self else { return std::future::pending().await };
            return meeting.next().await;
        };
        loop {
            tokio::select! {
                knock = session::knock(incoming, only.as_deref()) => {
                    let knock = knock?;
                    if tries.len() < OFFERS_MAX {
                        tries.spawn(knock.accept());
                    }
                }
                Some(Ok(tried)) = tries.join_next() => if let Ok(connection) = tried {
                    return Ok(connection);
                }
            }
        }
    }

    fn lost(&mut self, connection: &Connection) {
        if let Self::Meeting(meeting) = self {
            meeting.lost(connection);
        }
    }
}

struct Taker {
    into: Into,
    /// What a person types, where there is one.
    answers: Option<Lines<BufReader<Stdin>>>,
    /// What was taken last, and from whom: where it comes again, nobody is asked twice.
    taken: Option<(String, String, u64, u64)>,
    way: Way,
    /// Connections on which nothing was offered yet.
    offers: JoinSet<(Connection, Option<Offered>)>,
    waiting: VecDeque<(Connection, Offered)>,
}

/// What the person said.
enum Answer {
    Yes(Box<Offered>),
    No,
    Withdrawn,
}

impl Taker {
    async fn run(&mut self, show: &mut Show<'_>) -> Result<Exit, Failure> {
        loop {
            let (connection, offered) = match self.waiting.pop_front() {
                Some(offered) => offered,
                None => tokio::select! {
                    offered = self.next() => offered?,
                    () = session::interrupted() => return Ok(Exit::Interrupted),
                },
            };
            let offered = match self.ask(&connection, offered, show).await? {
                Answer::Yes(offered) => *offered,
                Answer::Withdrawn => {
                    show.say("withdrawn", json!({}), "It was taken back.")?;
                    self.way.lost(&connection);
                    continue;
                }
                Answer::No if matches!(self.way, Way::Anybody { .. }) => continue,
                Answer::No => {
                    return Err(failure(TransferError::Ours(Reason::Declined, "You did not take it.".into())));
                }
            };
            match self.take(&connection, offered, show).await? {
                Some(Outcome::Done(summary)) => {
                    show.done("Received", &summary)?;
                    return Ok(Exit::Done);
                }
                Some(Outcome::Cut) => {
                    let words = "The connection was lost. Waiting for the other side to come back; Ctrl-C ends it.";
                    show.say("lost", json!({}), words)?;
                }
                // It begins anew, and the new one waits.
                None => {}
            }
            self.way.lost(&connection);
        }
    }

    /// The next offer of somebody. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<(Connection, Offered), Failure> {
        loop {
            tokio::select! {
                connection = self.way.next(), if self.offers.len() < OFFERS_MAX => {
                    let connection = connection?;
                    self.offers.spawn(async move {
                        let offered = connection.incoming_files().await;
                        (connection, offered)
                    });
                }
                Some(Ok((connection, offered))) = self.offers.join_next() => match offered {
                    Some(offered) => return Ok((connection, offered)),
                    None => self.way.lost(&connection),
                },
            }
        }
    }

    async fn ask(
        &mut self,
        connection: &Connection,
        mut offered: Offered,
        show: &mut Show<'_>,
    ) -> Result<Answer, Failure> {
        let peer = connection.peer().as_str();
        let (name, files, bytes) = (clean(offered.name()), offered.files(), offered.bytes());
        let words = format!("{peer} sends {name}: {}, {}", count(files, "file"), size(bytes));
        show.say("offer", json!({"peer": peer, "name": name, "files": files, "bytes": bytes}), &words)?;
        let this = (peer.to_owned(), offered.name().to_owned(), files, bytes);
        if let Some(answers) = self.answers.as_mut().filter(|_| self.taken.as_ref() != Some(&this)) {
            let mut err = std::io::stderr();
            let _ = write!(err, "Take it into {}? [y/N] ", self.into.folder.display()).and_then(|()| err.flush());
            let answer = tokio::select! {
                answer = answers.next_line() => answer.map_err(|why| Exit::Io.because(why))?,
                () = offered.withdrawn() => return Ok(Answer::Withdrawn),
                () = session::interrupted() => None,
            };
            if !answer.is_some_and(|answer| ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())) {
                offered.decline().await;
                return Ok(Answer::No);
            }
        }
        self.taken = Some(this);
        Ok(Answer::Yes(Box::new(offered)))
    }

    /// Takes it. `None` where the same peer begins again, or another one while this one does not answer.
    async fn take(
        &mut self,
        connection: &Connection,
        offered: Offered,
        show: &mut Show<'_>,
    ) -> Result<Option<Outcome>, Failure> {
        let mut transfer = offered.accept(self.into.clone());
        let is_over = loop {
            tokio::select! {
                outcome = follow(&mut transfer, show) => return outcome.map(Some),
                other = self.next() => {
                    let (other, offered) = other?;
                    let is_again = other.peer() == connection.peer() || connection.state() != ConnectionState::Open;
                    if is_again {
                        self.waiting.push_front((other, offered));
                        break false;
                    }
                    if self.waiting.len() < OFFERS_MAX {
                        self.waiting.push_back((other, offered));
                    }
                }
                () = session::interrupted() => break true,
            }
        };
        cancel(transfer).await;
        if is_over {
            let words = "Ended. What has come is kept, and the same again goes on with it.";
            return Err(failure(TransferError::Ours(Reason::Cancelled, words.into())));
        }
        Ok(None)
    }
}
