//! `wigwag find`: where a peer is.

use std::time::SystemTime;

use serde::Serialize;
use wigwag::{Found, PeerState};

use crate::args::FindArgs;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::session;

#[derive(Serialize)]
struct Told {
    id: String,
    state: PeerState,
    devices: Vec<Device>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<u64>,
}

#[derive(Serialize)]
struct Device {
    device: String,
    state: PeerState,
}

/// Asks, and says by the exit code whether it is there.
pub(crate) fn run(out: &mut Out, args: &FindArgs) -> Result<Exit, Failure> {
    let found = session::runtime()?.block_on(async {
        let client = session::open(&args.peer).await?;
        let found = client.find(&args.id).await.map_err(session::refused);
        client.close().await;
        found
    })?;
    let exit = if found.state == PeerState::Gone { Exit::Absent } else { Exit::Done };
    if args.json {
        out.json(&told(found))?;
        return Ok(exit);
    }
    let word = |state| match state {
        PeerState::Here => "here",
        PeerState::Away => "away: it was here a moment ago",
        PeerState::Gone => "not here",
    };
    out.line(&format!("{} is {}.", found.id, word(found.state)))?;
    for (device, state) in found.devices.iter().filter(|(device, _)| !device.is_empty()) {
        out.line(&format!("  {device}: {}", word(*state)))?;
    }
    match found.seen.and_then(|seen| seen.elapsed().ok()) {
        Some(ago) if found.state == PeerState::Gone => {
            out.line(&format!("It was last here {} ago.", span(ago.as_secs())))?
        }
        None if found.state == PeerState::Gone => out.line("Nobody of that id was ever here.")?,
        _ => Exit::Done,
    };
    Ok(exit)
}

fn told(found: Found) -> Told {
    let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
    Told {
        id: found.id,
        state: found.state,
        devices: found.devices.into_iter().map(|(device, state)| Device { device, state }).collect(),
        last_seen: found.seen.and_then(since).and_then(|span| u64::try_from(span.as_millis()).ok()),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
