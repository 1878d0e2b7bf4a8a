//! How two ends come to an agreement: descriptions, candidates, and what an offer that crosses another does.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer};
use str0m::{IceCreds, Rtc, RtcConfig, RtcError};

use super::{Pc, UNDERWAY_BYTES};
use crate::description::{self, Candidate, Description, Kind};
use crate::error::Error;
use crate::settings::MESSAGE_BYTES_MAX;

/// Addresses of the other end that are tried in one search for a path.
const REMOTES_MAX: usize = 64;

/// What everybody calls the first section of a description. Codes leave it out for that reason, and Chromium cannot take back an offer of
/// its own for one in which the section is called otherwise.
const SECTION: &str = "0";

/// How much the other end may have underway to us: more than one message, so that a long way does not slow it down.
const WINDOW_BYTES: u32 = 2 * 1024 * 1024;

const NONSENSE: &str = "it does not read as one";

impl Pc {
    /// What we said last, with all candidates found since.
    pub fn local_description(&self) -> Option<Description> {
        let local = self.local.as_ref()?;
        Some(Description { kind: local.kind, sdp: self.complete(&local.sdp) })
    }

    /// Whether an offer of ours waits for its answer.
    pub fn is_offering(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether this is an offer of the other end's that restarts the search for a path.
    pub fn is_restart(&self, remote: &Description) -> bool {
        let search = description::attribute(&remote.sdp, "ice-ufrag");
        self.agreed && remote.kind == Kind::Offer && search != self.their_search.as_deref()
    }

    /// An offer: the first one, or one that restarts the search for a path.
    pub fn offer(&mut self, now: Instant, restart: bool) -> Result<Description, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        self.time(now);
        self.drain(now);
        let made = if self.agreed {
            if !restart {
                return Err(Error::Nothing);
            }
            let mut api = self.rtc.sdp_api();
            api.ice_restart(true);
            api.apply()
        } else {
            if self.pending.take().is_some() {
                self.rebuild(now);
            }
            let (key, config) = self.channels.first_wanted().ok_or(Error::Nothing)?;
            let mut api = self.rtc.sdp_api();
            let id = api.add_channel_with_config(config);
            let made = api.apply();
            self.channels.told(key, id);
            made
        };
        let (offer, pending) = made.ok_or(Error::Nothing)?;
        self.pending = Some(pending);
        self.settle(now);
        let sdp = offer.to_sdp_string();
        if !self.agreed {
            self.section = description::attribute(&sdp, "mid").map(str::to_owned);
        }
        Ok(self.said(Kind::Offer, sdp))
    }

    /// Takes the other end's description in, and answers if it is an offer. An offer takes the place of one of ours that is outstanding:
    /// who should not give way does not call this.
    pub fn describe(&mut self, now: Instant, remote: &Description) -> Result<Option<Description>, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        if remote.sdp.len() > description::DESCRIPTION_BYTES_MAX {
            return Err(Error::Description("it is too long".to_owned()));
        }
        let mut sdp = description::readable(&remote.sdp);
        if let Some(section) = self.section.as_ref().filter(|_| self.agreed || remote.kind == Kind::Answer) {
            sdp = description::renamed(&sdp, SECTION, section);
        }
        self.time(now);
        self.drain(now);
        let answer = match remote.kind {
            Kind::Offer => {
                let offer = SdpOffer::from_sdp_string(&sdp).map_err(|_| Error::Description(NONSENSE.to_owned()))?;
                if self.pending.take().is_some() && !self.agreed {
                    self.rebuild(now);
                    self.section = None;
                }
                Some(self.rtc.sdp_api().accept_offer(offer).map_err(unreadable))
            }
            Kind::Answer => {
                let pending = self.pending.take().ok_or(Error::Stale)?;
                let answer = SdpAnswer::from_sdp_string(&sdp).map_err(|_| Error::Description(NONSENSE.to_owned()))?;
                self.rtc.sdp_api().accept_answer(pending, answer).map_err(unreadable)?;
                None
            }
        };
        self.drain(now);
        let answer = answer.transpose()?;
        self.heard(now, &sdp);
        self.channels.open_wanted(&mut self.rtc);
        self.time(now);
        self.settle(now);
        self.candidates(now, &[]);
        Ok(answer.map(|answer| self.said(Kind::Answer, answer.to_sdp_string())))
    }

    /// Takes candidates of the other end; those that come before its description wait for it.
    pub fn candidates(&mut self, now: Instant, candidates: &[Candidate]) {
        if self.closed {
            return;
        }
        let room = REMOTES_MAX.saturating_sub(self.early.len());
        self.early.extend(candidates.iter().take(room).cloned());
        if !self.agreed {
            return;
        }
        for candidate in std::mem::take(&mut self.early) {
            let line = candidate.candidate.trim();
            let line = line.strip_prefix("a=").unwrap_or(line);
            if !description::usable(line) || self.remotes.len() >= REMOTES_MAX {
                continue;
            }
            let Ok(mut parsed) = str0m::Candidate::from_sdp_string(line) else { continue };
            if let (None, Some(ufrag)) = (parsed.ufrag(), &candidate.username_fragment) {
                parsed.set_ufrag(ufrag);
            }
            self.met(now, parsed.addr(), parsed.kind());
            self.rtc.add_remote_candidate(parsed);
            self.time(now);
            self.drain(now);
        }
        self.search(now, Vec::new());
        self.settle(now);
    }

    /// A candidate of ours as the other end reads it, in the search that this description belongs to.
    pub(super) fn line(&self, candidate: &str0m::Candidate, sdp: &str) -> String {
        let mut candidate = candidate.clone();
        if let Some(ufrag) = description::attribute(sdp, "ice-ufrag") {
            candidate.set_ufrag(ufrag);
        }
        candidate.to_sdp_string()
    }

    fn complete(&self, sdp: &str) -> String {
        description::completed(sdp, self.locals.iter().map(|candidate| self.line(candidate, sdp)), MESSAGE_BYTES_MAX)
    }

    fn said(&mut self, kind: Kind, mut sdp: String) -> Description {
        if let Some(section) = &self.section {
            sdp = description::renamed(&sdp, section, SECTION);
        }
        let complete = Description { kind, sdp: self.complete(&sdp) };
        self.local = Some(Description { kind, sdp });
        complete
    }

    /// What the other end's description says beside what the library reads in it.
    fn heard(&mut self, now: Instant, sdp: &str) {
        if !self.agreed {
            self.message_bytes = description::message_bytes_max(sdp).min(MESSAGE_BYTES_MAX);
        }
        self.agreed = true;
        self.their_search = description::attribute(sdp, "ice-ufrag").map(str::to_owned);
        self.remotes.clear();
        self.askers.clear();
        let lines =
            sdp.lines().filter_map(|line| line.strip_prefix("a=")).filter(|line| line.starts_with("candidate:"));
        let candidates: Vec<_> =
            lines.filter_map(|line| str0m::Candidate::from_sdp_string(line).ok()).take(REMOTES_MAX).collect();
        for candidate in candidates {
            self.met(now, candidate.addr(), candidate.kind());
        }
    }

    /// The other end may be at this address.
    fn met(&mut self, now: Instant, address: SocketAddr, kind: str0m::CandidateKind) {
        if !self.remotes.iter().any(|(known, _)| *known == address) {
            self.remotes.push((address, kind.to_string()));
            self.gather.permit(now, address.ip());
        }
    }

    /// Another library in place of one that made an offer which is not to stand: nothing of it has been used yet.
    fn rebuild(&mut self, now: Instant) {
        self.rtc = build(now, &self.creds);
        self.channels.forgotten();
        for candidate in self.locals.clone() {
            self.rtc.add_local_candidate(candidate);
            self.drain(now);
        }
    }
}

fn unreadable(error: RtcError) -> Error {
    Error::Description(match error {
        RtcError::RemoteSdp(text) => text,
        error => error.to_string(),
    })
}

/// The library, as this engine wants it.
pub(super) fn build(now: Instant, creds: &IceCreds) -> Rtc {
    let mut config = RtcConfig::new()
        .set_local_ice_credentials(creds.clone())
        .clear_codecs()
        .set_stats_interval(Some(Duration::from_secs(1)))
        .set_sctp_max_buffered_amount(UNDERWAY_BYTES + MESSAGE_BYTES_MAX)
        .set_sctp_max_message_size(WINDOW_BYTES);
    config.set_max_stun_rto(Duration::from_millis(1_500));
    config.set_max_stun_retransmits(6);
    config.build(now)
}
