//! A message to every session of a namespace.

use std::sync::Arc;

use wigwag_wire::event::BroadcastEvent;
use wigwag_wire::request::Broadcast;
use wigwag_wire::{Code, Event, Refusal};

use crate::cx::{Cx, Spread};
use crate::hub::Hub;
use crate::ids::Party;
use crate::limiter::Rate;

impl Hub {
    /// Tells every other session of the asker's namespace.
    pub(crate) fn broadcast(
        &self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        broadcast: &Broadcast<'_>,
    ) -> Result<(), Refusal> {
        let per_minute = self.rules().limits.broadcasts_per_minute;
        let rate = Rate::per_minute(per_minute, per_minute);
        let allowed = self.peers(who.session).lock().may_broadcast(cx.now.at, who.session, rate);
        allowed.map_err(|wait| {
            let message = format!("At most {per_minute} broadcasts a minute. Wait `retry_after` milliseconds.");
            Refusal::new(Code::RateLimited, message).after(wait)
        })?;
        let event = Event::Broadcast(BroadcastEvent { from: &who.id, device: &who.device, data: broadcast.data });
        let mut spread = Spread::new(&event);
        let mut receivers = 0;
        for shard in self.all_peers() {
            // Telling takes the shard's lock anew for each, so that others get their turn in between.
            let sessions: Vec<Arc<Party>> = shard.lock().in_namespace(who.ns.as_str()).cloned().collect();
            for party in sessions.iter().filter(|p| p.session != who.session) {
                cx.spread(&mut spread, party);
                receivers += 1;
            }
        }
        cx.done(who, n, Some(receivers));
        Ok(())
    }
}
