//! Hails of ours that nobody waits for any more: whoever heeds one of them late is told so at once.

use std::collections::BTreeMap;

use wigwag_wire::PeerId;

use super::terms::{CallError, Connect};
use super::{About, CALLS_MAX, Calls, Hailed, KNOCK_MS};
use crate::heard::SignalHeard;
use crate::sealed::{CallId, Content, Seal, read_heed};
use crate::time::Moment;

/// Hails that were called off, for as long as somebody may still decide about them.
#[derive(Default)]
pub(super) struct CalledOff(BTreeMap<CallId, Hail>);

struct Hail {
    wish: Connect,
    hailed: Box<Hailed>,
    until: Moment,
}

impl CalledOff {
    /// Keeps one, where the wish ended because nobody wanted to wait longer.
    pub(super) fn keep(&mut self, now: Moment, wish: Connect, hailed: Box<Hailed>, why: &CallError) {
        self.0.retain(|_, hail| hail.until > now);
        if matches!(why, CallError::Aborted | CallError::Timeout { .. }) && self.0.len() < CALLS_MAX {
            let (call, until) = (hailed.half.call.clone(), now + KNOCK_MS);
            // What it was to say has been said.
            let wish = Connect { meta: None, ..wish };
            self.0.insert(call, Hail { wish, hailed, until });
        }
    }
}

impl Calls {
    /// Somebody heeds a hail that is not waited for: tells it so, if it was one of ours.
    pub(super) fn heeded_late(
        &mut self,
        heard: &SignalHeard,
        from: PeerId,
        call: &CallId,
        out: &mut Vec<super::Output>,
    ) {
        let is_meant = |hail: &Hail| heard.kind == "ww.heed" && hail.wish.is_for(&from, &heard.device);
        let Some(Hail { hailed, .. }) = self.called_off.0.get(call).filter(|hail| is_meant(hail)) else { return };
        let Hailed { half, share, .. } = &**hailed;
        let back = hailed.back(&from, heard);
        let bye = Content { bye: Some("aborted".to_owned()), ..Content::default() };
        let seal = read_heed(&back, &heard.data, half).and_then(|heed| Seal::new(true, share, half, &heed));
        let Some(data) = seal.and_then(|mut seal| seal.seal(&bye)) else { return };
        self.called_off.0.remove(call);
        self.signal(About::Nothing, from, Some(heard.device.clone()), "ww.sealed", data, out);
    }
}
