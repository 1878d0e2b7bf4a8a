//! `wigwag forward`: a TCP port of another machine on this one.

use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wigwag::{Connection, Incoming, Knock};

use crate::args::ForwardArgs;
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::pipe::carry_shared;
use crate::session;

/// What a channel that stands for a TCP connection is called.
const LABEL: &str = "tcp";

/// So many TCP connections at a time.
const CONNECTIONS_MAX: usize = 128;

/// So many peers that have the port, or are on their way to it.
const PEERS_MAX: usize = 128;

/// Offers a port to others, or brings one of another machine here.
pub(crate) fn run(args: &ForwardArgs) -> Result<Exit, Failure> {
    let notes = if args.json { Notes::Json } else { Notes::Words };
    session::runtime()?.block_on(async {
        let client = session::open(&args.peer).await?;
        let done = match (&args.id, &args.to) {
            (Some(id), _) => {
                let listener = TcpListener::bind(&args.listen)
                    .await
                    .with_context(|| format!("cannot listen on {}", args.listen))
                    .map_err(|why| Exit::Unavailable.because(why))?;
                let connection = session::connect(&client, id, args.peer.timeout).await?;
                let at = listener.local_addr().map_err(|why| Exit::Io.because(why))?;
                let words = format!("{at} is now the port of {id}.");
                notes.tell(&words, &json!({"type": "listening", "at": at, "id": id}));
                tokio::select! {
                    exit = bring(&listener, &connection, notes) => Ok(exit),
                    () = session::interrupted() => Ok(Exit::Done),
                }
            }
            (None, to) => {
                // One of the two is there: clap sees to it.
                let to = to.clone().unwrap_or_default();
                let (me, who) = (client.id(), args.from.as_deref());
                // Before anybody can know whom to call.
                let incoming = client.incoming().await;
                let words = format!(
                    "I am {me}, and offer {to}.\nOn the other machine: wigwag forward {me} --listen 127.0.0.1:PORT"
                );
                notes.tell(&words, &json!({"type": "offering", "to": to, "id": me}));
                tokio::select! {
                    exit = offer(incoming, &to, who, notes) => exit,
                    () = session::interrupted() => Ok(Exit::Done),
                }
            }
        };
        client.close().await;
        done
    })
}

/// Each connection to the port here becomes a channel.
async fn bring(listener: &TcpListener, connection: &Connection, notes: Notes) -> Exit {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if tasks.len() < CONNECTIONS_MAX => {
                // One that breaks before it begins is nobody's loss.
                let Ok((tcp, _)) = accepted else { continue };
                let Ok(channel) = connection.channel(LABEL).await else { return Exit::Failed };
                let (from, to) = tcp.into_split();
                tasks.spawn(carry_shared(from, to, Arc::new(channel)));
            }
            Some(_) = tasks.join_next() => {}
            ended = connection.closed() => {
                let words = format!("The connection is over: {}.", ended.reason);
                notes.tell(&words, &json!({"type": "over", "reason": ended.reason}));
                return Exit::Failed;
            }
        }
    }
}

/// Each channel of somebody who may becomes a connection to the port.
async fn offer(mut incoming: Incoming, to: &str, only: Option<&str>, notes: Notes) -> Result<Exit, Failure> {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            knock = session::knock(&mut incoming, only), if tasks.len() < PEERS_MAX => drop(tasks.spawn(serve(knock?, to.to_owned(), notes))),
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn serve(knock: Knock, to: String, notes: Notes) {
    let Ok(connection) = knock.accept().await else { return };
    let (id, device) = (connection.peer().as_str(), connection.device());
    notes.tell(&format!("{id} is connected."), &json!({"type": "connected", "id": id, "device": device}));
    let mut tasks = JoinSet::new();
    while let Some(channel) = connection.accept_channel().await {
        while tasks.try_join_next().is_some() {}
        if channel.label() != LABEL || tasks.len() >= CONNECTIONS_MAX {
            channel.close().await;
            continue;
        }
        match TcpStream::connect(&to).await {
            Ok(tcp) => {
                let (from, back) = tcp.into_split();
                tasks.spawn(carry_shared(from, back, Arc::new(channel)));
            }
            Err(why) => {
                let told = json!({"type": "unreachable", "to": to, "why": why.to_string()});
                notes.tell(&format!("{to} cannot be reached: {why}"), &told);
                channel.close().await;
            }
        }
    }
    let id = connection.peer().as_str();
    notes.tell(&format!("{id} is gone."), &json!({"type": "gone", "id": id}));
}
