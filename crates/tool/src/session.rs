//! A client for the commands that talk to peers, and what its errors mean for the exit code.

use std::time::Duration;

use anyhow::anyhow;
use tokio::runtime::Runtime;
use wigwag::{
    AskError, CallError, Connection, FilePins, Incoming, Knock, Loopback, Member, OpenError, Status, Unattended, Wigwag,
};

use crate::args::{DEFAULT_SERVER, PeerArgs};
use crate::exit::{Exit, Failure};
use crate::identity;

/// An id, and which of its programs.
pub(crate) type Party = (String, String);

/// Who a member is.
pub(crate) fn party_of(member: &Member) -> Party {
    (member.id.clone(), member.device.clone())
}

/// Somewhere to wait.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| Exit::Failed.because(why))
}

/// A client under the identity that was asked for.
pub(crate) async fn open(args: &PeerArgs) -> Result<Wigwag, Failure> {
    let (own, file, _) = identity::of(&args.identity).map_err(|why| Exit::Io.because(why))?;
    let pins = FilePins::open(identity::known_keys(&file)).map_err(|why| Exit::Io.because(why))?;
    // A command that takes no calls must not decline what another one of this person waits for.
    let mut builder =
        Wigwag::builder().identity(own).deadline(args.timeout).pins(pins).unattended(Unattended::LeaveToOthers);
    if args.loopback {
        builder = builder.loopback(Loopback::Only);
    }
    for server in &args.server {
        builder = builder.server(server);
    }
    if let Some(namespace) = &args.namespace {
        builder = builder.namespace(namespace);
    }
    if let Some(name) = &args.name {
        builder = builder.name(name);
    }
    builder.open().await.map_err(|why| {
        let exit = match &why {
            OpenError::BadServer(_) | OpenError::BadName(_) | OpenError::NoServer => Exit::Usage,
            OpenError::Refused { .. } => Exit::Refused,
            OpenError::Timeout { .. } => Exit::Unavailable,
            _ => Exit::Failed,
        };
        exit.because(why)
    })
}

/// What the other side has to type besides, so that both are on the same server and in the same namespace.
pub(crate) fn server_flags(args: &PeerArgs) -> String {
    let mut flags = String::new();
    for server in args.server.iter().filter(|server| *server != DEFAULT_SERVER) {
        flags.push_str(&format!("--server {server} "));
    }
    if let Some(namespace) = &args.namespace {
        flags.push_str(&format!("--namespace {namespace} "));
    }
    flags
}

/// The page of the server that is in use.
pub(crate) fn page(status: &Status) -> String {
    let server = status.server.clone().unwrap_or_default();
    let rest = server.strip_prefix("ws").unwrap_or(&server);
    format!("http{}", rest.strip_suffix("v1").unwrap_or(rest))
}

/// A connection to this peer.
pub(crate) async fn connect(client: &Wigwag, to: &str, patience: Duration) -> Result<Connection, Failure> {
    client.connect(to).deadline(patience).await.map_err(|why| {
        let exit = match &why {
            CallError::NotFound(_) | CallError::Absent { .. } => Exit::Absent,
            CallError::Refused(_) | CallError::Left | CallError::KeyMismatch(_) => Exit::Refused,
            CallError::NoPath { .. } | CallError::Timeout { .. } => Exit::NoPath,
            _ => Exit::Failed,
        };
        match why {
            CallError::KeyMismatch(id) => exit.because(anyhow!(
                "somebody answered for {id} with another key than before. Ask the person, by another way, whether it is theirs; if it is, \
                 take the line of {id} out of the file of known keys (`wigwag whoami` says where it is), and try again"
            )),
            why => exit.because(why),
        }
    })
}

/// What the server would not do.
pub(crate) fn refused(why: AskError) -> Failure {
    let exit = if why.code().is_some() { Exit::Refused } else { Exit::Failed };
    exit.because(why)
}

/// Resolves when a person wants to stop.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // A system without it is stopped in other ways.
        std::future::pending::<()>().await;
    }
}

/// The first connection of somebody who may come.
pub(crate) async fn first(incoming: &mut Incoming, only: Option<&str>) -> Result<Connection, Failure> {
    loop {
        if let Ok(connection) = knock(incoming, only).await?.accept().await {
            return Ok(connection);
        }
    }
}

/// The next of those who may come. Dropping the future loses nothing.
pub(crate) async fn knock(incoming: &mut Incoming, only: Option<&str>) -> Result<Knock, Failure> {
    while let Some(knock) = incoming.next().await {
        if only.is_none_or(|only| only == knock.peer().as_str()) {
            return Ok(knock);
        }
        tokio::spawn(knock.decline("Somebody else is expected here."));
    }
    Err(Exit::Failed.because(anyhow!("the client was closed")))
}
