//! `wigwag pipe`: standard input of one machine is standard output of another, and back.

use std::io;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wigwag::{Channel, Message};

use crate::args::PipeArgs;
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::session;

/// What is read at once, and so the size of a message.
const CHUNK: usize = 32 * 1024;

/// What says that nothing follows; bytes are never JSON.
const END: &str = "null";

/// Connects, or waits for somebody, and carries bytes both ways until both sides have said everything.
pub(crate) fn run(args: &PipeArgs) -> Result<Exit, Failure> {
    let runtime = session::runtime()?;
    let notes = if args.json { Notes::JsonBeside } else { Notes::Words };
    let done = runtime.block_on(async {
        let client = session::open(&args.peer).await?;
        let connection = match &args.id {
            Some(id) => session::connect(&client, id, args.peer.timeout).await?,
            None => {
                // Before anybody can know whom to call.
                let mut incoming = client.incoming().await;
                let me = client.id();
                let words = format!("I am {me}\nOn the other machine: wigwag pipe {me}");
                notes.tell(&words, &json!({"type": "waiting", "id": me}));
                session::first(&mut incoming, args.from.as_deref()).await?
            }
        };
        if args.json {
            let (id, device) = (connection.peer().as_str(), connection.device());
            notes.tell("", &json!({"type": "connected", "id": id, "device": device}));
        }
        let carried = tokio::select! {
            carried = carry(tokio::io::stdin(), tokio::io::stdout(), connection.main()) => carried,
            () = session::interrupted() => Ok(false),
        };
        connection.close().await;
        client.close().await;
        match carried {
            Ok(true) => Ok(Exit::Done),
            Ok(false) => Ok(Exit::Failed),
            Err(why) => Err(Exit::Io.because(why)),
        }
    });
    // A read of standard input that nobody ends would hold the process.
    runtime.shutdown_background();
    done
}

/// Carries bytes both ways. True if both sides came to their end, false if the connection did.
pub(crate) async fn carry<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut from: R,
    mut to: W,
    channel: &Channel,
) -> io::Result<bool> {
    let up = async {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = from.read(&mut buffer).await?;
            let message = if count == 0 { Message::Json(END.into()) } else { Message::from(&buffer[..count]) };
            channel.send(message).await.map_err(|_| Stop::Over)?;
            if count == 0 {
                return Ok(());
            }
        }
    };
    let down = async {
        loop {
            match channel.recv().await.ok_or(Stop::Over)? {
                Message::Binary(bytes) => {
                    to.write_all(&bytes).await?;
                    to.flush().await?;
                }
                Message::Json(_) => return Ok::<_, Stop>(to.shutdown().await?),
                Message::Text(_) => {}
            }
        }
    };
    match tokio::try_join!(up, down) {
        Ok(_) => {
            channel.flushed().await;
            Ok(true)
        }
        Err(Stop::Over) => Ok(false),
        Err(Stop::Io(why)) => Err(why),
    }
}

/// Why nothing is carried any more.
enum Stop {
    /// The connection is over.
    Over,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

/// The same for a channel that is shared.
pub(crate) async fn carry_shared<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(from: R, to: W, channel: Arc<Channel>) {
    // One TCP connection that breaks is between its two ends.
    let _ = carry(from, to, &channel).await;
    channel.close().await;
}
