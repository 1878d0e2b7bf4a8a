//! A message to every session of a namespace.

use std::sync::Arc;

use wigwag_wire::Refusal;
use wigwag_wire::request::Broadcast;

use crate::cx::Cx;
use crate::hub::Hub;
use crate::ids::Party;

impl Hub {
    pub(crate) fn broadcast(
        &self,
        _cx: &mut Cx<'_>,
        _who: &Arc<Party>,
        _n: Option<u64>,
        _broadcast: &Broadcast<'_>,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}
