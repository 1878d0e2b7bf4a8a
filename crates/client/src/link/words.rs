//! What the calls say, in the engine's words, and back.

use wigwag_peer::calls::{IceState, Order};
use wigwag_peer::sealed::{self, DescriptionKind};
use wigwag_rtc::{Candidate, Description, Error, Kind, PeerConnection};

/// Carries out an order for an engine; a description that comes of it is for the other side.
pub(crate) async fn carry_out(pc: &PeerConnection, order: Order) -> Result<Option<sealed::Description>, Error> {
    match order {
        Order::Offer { restart } => pc.offer(restart).await.map(|offer| Some(described(offer))),
        Order::Describe(description) => {
            let kind = if description.kind == DescriptionKind::Offer { Kind::Offer } else { Kind::Answer };
            let theirs = Description { kind, sdp: description.sdp };
            pc.describe(theirs).await.map(|answer| answer.map(described))
        }
        Order::Candidates(candidates) => {
            pc.candidates(candidates.into_iter().map(incoming).collect()).await.map(|()| None)
        }
        Order::Begin
        | Order::End
        | Order::Relay { .. }
        | Order::Travel { .. }
        | Order::Relayed(_)
        | Order::Online(_) => Ok(None),
    }
}

fn described(description: Description) -> sealed::Description {
    let kind = if description.kind == Kind::Offer { DescriptionKind::Offer } else { DescriptionKind::Answer };
    sealed::Description { kind, sdp: description.sdp }
}

pub(crate) fn outgoing(candidate: Candidate) -> sealed::Candidate {
    let Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment } = candidate;
    sealed::Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment }
}

fn incoming(candidate: sealed::Candidate) -> Candidate {
    let sealed::Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment } = candidate;
    Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment }
}

pub(crate) fn ice(state: wigwag_rtc::IceState) -> Option<IceState> {
    Some(match state {
        wigwag_rtc::IceState::New => return None,
        wigwag_rtc::IceState::Checking => IceState::Checking,
        wigwag_rtc::IceState::Connected => IceState::Connected,
        wigwag_rtc::IceState::Disconnected => IceState::Disconnected,
        wigwag_rtc::IceState::Failed => IceState::Failed,
    })
}
