//! `wigwag send`.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use wigwag::files::{Files, GatherError, Progress, Reason, TransferError, WordCode};
use wigwag::{CallError, Connection, ConnectionState, JoinOptions, Member, Wigwag};

use super::meet::Meeting;
use super::place::{self, TITLE, Whom};
use super::show::{Show, count, size};
use super::{Outcome, cancel, failure, follow};
use crate::args::SendArgs;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::session;

/// So long those may take who are in a room and were not met when the first has it.
const LATECOMERS: Duration = Duration::from_secs(5);

/// So many receivers at a time.
const RECEIVERS_MAX: usize = 32;

/// Sends, and returns when it has arrived.
pub(crate) fn run(out: &mut Out, args: &SendArgs) -> Result<Exit, Failure> {
    let runtime = session::runtime()?;
    let done = runtime.block_on(async {
        let (names, way) = way(args).map_err(|why| Exit::Usage.because(why))?;
        let (files, _held) = gather(names, &args.file_name).await?;
        let mut show = Show::new(out, args.json);
        let words = format!("{}: {}, {}", files.name(), count(files.count(), "file"), size(files.bytes()));
        show.say("files", offered(&files), &words)?;
        for left in files.left_out() {
            let words = format!("Left out: {}, because {}.", left.path.display(), left.why);
            show.say("left_out", json!({"path": left.path, "why": left.why}), &words)?;
        }
        let client = session::open(&args.peer).await?;
        let sent = match way {
            Way::Peer(id) => to_peer(&client, &id, &files, args, &mut show).await,
            Way::Room(name) => to_room(&client, &name, &files, args, &mut show).await,
            Way::Code(code) => to_code(&client, &code, &files, args, &mut show).await,
        };
        client.close().await;
        sent
    });
    // A read of a disk that does not answer would hold the process.
    runtime.shutdown_background();
    done
}

enum Way {
    Peer(String),
    Room(String),
    Code(WordCode),
}

/// Whom it goes to, and what.
fn way(args: &SendArgs) -> anyhow::Result<(&[String], Way)> {
    let names = args.files.as_slice();
    let way = match (&args.to, &args.room, &args.code) {
        (Some(id), ..) => Way::Peer(id.clone()),
        (_, Some(room), _) => Way::Room(room.clone()),
        (_, _, Some(code)) => Way::Code(place::words(code)?),
        _ => match names {
            [names @ .., last] if !names.is_empty() && last != "-" && !Path::new(last).exists() => {
                let way = match place::whom(last)? {
                    Whom::Peer(id) => Way::Peer(id),
                    Whom::Room(name) => Way::Room(name),
                };
                return Ok((names, way));
            }
            _ => Way::Code(fresh_code(args.words)?),
        },
    };
    Ok((names, way))
}

fn fresh_code(words: u8) -> anyhow::Result<WordCode> {
    let mut bytes = vec![0; usize::from(words) * 2];
    getrandom::fill(&mut bytes).map_err(|why| anyhow!("no randomness to be had: {why}"))?;
    let chance: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    WordCode::of(&chance).map_err(|why| anyhow!("{why}"))
}

/// The files; and where standard input lies as long as it is needed.
async fn gather(names: &[String], stdin: &str) -> Result<(Arc<Files>, Option<NamedTempFile>), Failure> {
    let failed = |why: GatherError| {
        let exit = if matches!(why, GatherError::Io { .. }) { Exit::Io } else { Exit::Usage };
        exit.because(why)
    };
    if names.iter().any(|name| name == "-") {
        if names.len() > 1 {
            return Err(Exit::Usage.because(anyhow!("standard input goes alone")));
        }
        let held = tokio::task::spawn_blocking(spool).await.map_err(|why| Exit::Failed.because(why))?;
        let held = held.context("cannot keep standard input").map_err(|why| Exit::Io.because(why))?;
        let files = Files::one(held.path().to_owned(), stdin).await.map_err(failed)?;
        return Ok((Arc::new(files), Some(held)));
    }
    let files = Files::gather(names.iter().map(PathBuf::from).collect()).await.map_err(failed)?;
    Ok((Arc::new(files), None))
}

/// What others are shown of them.
fn offered(files: &Files) -> Value {
    json!({"name": files.name(), "files": files.count(), "bytes": files.bytes()})
}

/// What comes from standard input has to be known in full before it is offered.
fn spool() -> io::Result<NamedTempFile> {
    let mut held = NamedTempFile::new()?;
    io::copy(&mut io::stdin().lock(), &mut held)?;
    held.rewind()?;
    Ok(held)
}

async fn to_peer(
    client: &Wigwag,
    id: &str,
    files: &Arc<Files>,
    args: &SendArgs,
    show: &mut Show<'_>,
) -> Result<Exit, Failure> {
    let mut connection = session::connect(client, id, args.peer.timeout).await?;
    loop {
        show.say("connected", json!({"peer": id}), &format!("Connected to {id}."))?;
        let sent = tokio::select! {
            sent = offer(&connection, files, show) => sent?,
            () = session::interrupted() => return Ok(Exit::Interrupted),
        };
        if let Outcome::Done(summary) = sent {
            show.done("Sent", &summary)?;
            connection.close().await;
            return Ok(Exit::Done);
        }
        drop(connection);
        show.say("lost", json!({}), "The connection was lost. Trying again; Ctrl-C ends it.")?;
        connection = tokio::select! {
            again = again(client, id) => again?,
            () = session::interrupted() => return Ok(Exit::Interrupted),
        };
    }
}

/// A peer that was there comes back, sooner or later.
async fn again(client: &Wigwag, id: &str) -> Result<Connection, Failure> {
    loop {
        match client.connect(id).await {
            Ok(connection) => return Ok(connection),
            Err(CallError::KeyMismatch(_) | CallError::Closed) => {
                return session::connect(client, id, Duration::from_secs(20)).await;
            }
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

async fn offer(connection: &Connection, files: &Arc<Files>, show: &mut Show<'_>) -> Result<Outcome, Failure> {
    let Ok(mut transfer) = connection.send_files(files).await else { return Ok(Outcome::Cut) };
    tokio::select! {
        outcome = follow(&mut transfer, show) => return outcome,
        () = session::interrupted() => {}
    }
    cancel(transfer).await;
    Err(failure(TransferError::Ours(
        Reason::Cancelled,
        "Ended. What has arrived is kept, and the same again goes on with it.".into(),
    )))
}

async fn to_code(
    client: &Wigwag,
    code: &WordCode,
    files: &Arc<Files>,
    args: &SendArgs,
    show: &mut Show<'_>,
) -> Result<Exit, Failure> {
    let secret = secret(code.clone()).await?;
    let options = JoinOptions { me: Some(json!({"files": offered(files)})), ..JoinOptions::default() };
    let incoming = client.incoming().await;
    let room = client.join_secret(&secret, TITLE, options).await.map_err(session::refused)?;
    let mut words = format!(
        "On the other machine:\n\n  wigwag receive {}{}\n\nOr type the four words on {} in a browser.",
        session::server_flags(&args.peer),
        code.as_str(),
        session::page(&client.status())
    );
    if args.keep {
        words.push_str("\nCtrl-C ends it.");
    }
    show.say("code", json!({"code": code.as_str()}), &words)?;
    let mut meeting = Meeting::new(client, incoming, room, args.peer.timeout, is_receiver);
    let sent = if args.keep {
        to_many(&mut meeting, files, true, show).await
    } else {
        to_one(&mut meeting, files, show).await
    };
    meeting.leave().await;
    sent
}

/// Takes a moment: on a thread for it.
pub(super) async fn secret(code: WordCode) -> Result<String, Failure> {
    tokio::task::spawn_blocking(move || code.secret()).await.map_err(|why| Exit::Failed.because(why))
}

async fn to_one(meeting: &mut Meeting, files: &Arc<Files>, show: &mut Show<'_>) -> Result<Exit, Failure> {
    // Others who came with the same words wait: the first may be lost.
    let mut spare: VecDeque<Connection> = VecDeque::new();
    let mut next = None;
    loop {
        spare.retain(|spare| spare.state() == ConnectionState::Open);
        let connection = match next.take().or_else(|| spare.pop_front()) {
            Some(connection) => connection,
            None => tokio::select! {
                connection = meeting.next() => connection?,
                () = session::interrupted() => return Ok(Exit::Interrupted),
            },
        };
        let peer = connection.peer().as_str();
        show.say("connected", json!({"peer": peer}), &format!("{peer} is here."))?;
        let ended = {
            let mut sending = pin!(offer(&connection, files, show));
            loop {
                tokio::select! {
                    sent = &mut sending => break Ended::Itself(sent?),
                    other = meeting.next() => {
                        let other = other?;
                        if replaces(&connection, &other) {
                            break Ended::Replaced(other);
                        }
                        if spare.len() < RECEIVERS_MAX {
                            spare.push_back(other);
                        }
                    }
                }
            }
        };
        match ended {
            Ended::Itself(Outcome::Done(summary)) => {
                show.done("Sent", &summary)?;
                connection.close().await;
                return Ok(Exit::Done);
            }
            Ended::Itself(Outcome::Cut) => {
                let words = "The connection was lost. Waiting for the other side to come back; Ctrl-C ends it.";
                show.say("lost", json!({}), words)?;
            }
            Ended::Replaced(other) => next = Some(other),
        }
        meeting.lost(&connection);
    }
}

enum Ended {
    Itself(Outcome),
    Replaced(Connection),
}

/// Whether the new connection is the one to go on with: the same peer has begun again, or the one that we had does not answer.
fn replaces(old: &Connection, new: &Connection) -> bool {
    old.peer() == new.peer() || old.state() != ConnectionState::Open
}

async fn to_room(
    client: &Wigwag,
    name: &str,
    files: &Arc<Files>,
    args: &SendArgs,
    show: &mut Show<'_>,
) -> Result<Exit, Failure> {
    let me = json!({"name": "wigwag send", "files": offered(files)});
    let options = JoinOptions { me: Some(me), ..JoinOptions::default() };
    let incoming = client.incoming().await;
    let room = client.join_with(name, options).await.map_err(session::refused)?;
    if room.view().members().is_empty() {
        show.say("alone", json!({"room": name}), &format!("Nobody is in {name} yet. Waiting; Ctrl-C ends it."))?;
    }
    let mut meeting = Meeting::new(client, incoming, room, args.peer.timeout, |_| true);
    let sent = to_many(&mut meeting, files, args.keep, show).await;
    meeting.leave().await;
    sent
}

/// Offers it to everybody who comes: until all who are there have answered and somebody took it, or for ever.
async fn to_many(meeting: &mut Meeting, files: &Arc<Files>, keep: bool, show: &mut Show<'_>) -> Result<Exit, Failure> {
    let mut sending = JoinSet::new();
    let (mut arrived, mut refused) = (false, None);
    let mut until = None;
    let (tell, mut told) = mpsc::channel(RECEIVERS_MAX);
    let mut under_way = BTreeMap::new();
    loop {
        if keep || !sending.is_empty() {
            until = None;
        } else if arrived || refused.is_some() {
            // Who is there and takes no files does not come either.
            let wait = if meeting.is_settled() { Duration::ZERO } else { LATECOMERS };
            until.get_or_insert(Instant::now() + wait);
        }
        tokio::select! {
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => match refused {
                Some(why) if !arrived => return Err(failure(why)),
                _ => return Ok(Exit::Done),
            },
            connection = meeting.next(), if sending.len() < RECEIVERS_MAX => {
                let connection = connection?;
                let peer = connection.peer().as_str().to_owned();
                show.say("connected", json!({"peer": peer}), &format!("{peer} is here: it is asked."))?;
                let files = Arc::clone(files);
                let tell = tell.clone();
                sending.spawn(async move {
                    let sent = match connection.send_files(&files).await {
                        Ok(mut transfer) => {
                            while transfer.changed().await {
                                // What is shown may be a moment old.
                                let _ = tell.try_send((connection.clone(), transfer.progress()));
                            }
                            transfer.finished().await
                        }
                        Err(_) => Err(TransferError::Cut),
                    };
                    (connection, sent)
                });
            }
            Some((connection, progress)) = told.recv() => {
                let party = of(&connection);
                if under_way.contains_key(&party) || under_way.len() < RECEIVERS_MAX {
                    under_way.insert(party, progress);
                }
                show.progress(&all(under_way.values()))?;
            }
            Some(Ok((connection, sent))) = sending.join_next() => {
                while told.try_recv().is_ok() {}
                under_way.remove(&of(&connection));
                let peer = connection.peer().as_str();
                match sent {
                    Ok(summary) => {
                        arrived = true;
                        show.done(&format!("{peer} has"), &summary)?;
                    }
                    Err(TransferError::Cut) => {
                        show.say("lost", json!({"peer": peer}), &format!("The connection to {peer} was lost."))?;
                        meeting.lost(&connection);
                        continue;
                    }
                    Err(why) => {
                        show.say("refused", json!({"peer": peer, "why": why.to_string()}), &format!("{peer}: {why}"))?;
                        refused = Some(why);
                    }
                }
                connection.close().await;
            }
            () = session::interrupted() => return Ok(if arrived { Exit::Done } else { Exit::Interrupted }),
        }
    }
}

/// Which of several receivers.
fn of(connection: &Connection) -> (String, String) {
    (connection.peer().as_str().to_owned(), connection.device().to_owned())
}

/// Several transfers of the same, as one.
fn all<'p>(transfers: impl Iterator<Item = &'p Progress>) -> Progress {
    transfers
        .cloned()
        .reduce(|one, other| Progress {
            accepted: one.accepted || other.accepted,
            files: one.files + other.files,
            files_total: one.files_total + other.files_total,
            bytes: one.bytes + other.bytes,
            bytes_total: one.bytes_total + other.bytes_total,
            crossed: one.crossed + other.crossed,
            path: one.path,
        })
        .unwrap_or_default()
}

/// In a room of a code: who has nothing to send itself.
fn is_receiver(member: &Member) -> bool {
    !is_sender(member)
}

pub(super) fn is_sender(member: &Member) -> bool {
    let me: Value = member.me.as_deref().and_then(|me| serde_json::from_str(me.get()).ok()).unwrap_or_default();
    me["files"].is_object()
}
