//! Swarms.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wigwag_wire::{Refusal, Request};

use crate::cx::Cx;
use crate::ids::{GroupKey, Party};
use crate::time::Moment;

#[derive(Default)]
pub(crate) struct Swarms {}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SwarmsSnapshot {}

impl Swarms {
    pub(crate) fn request(
        &mut self,
        _cx: &mut Cx<'_>,
        _who: &Arc<Party>,
        _n: Option<u64>,
        _request: &Request<'_>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    pub(crate) fn ended(&mut self, _cx: &mut Cx<'_>, _who: &Party, _key: &GroupKey) {}

    pub(crate) fn tick(&mut self, _cx: &mut Cx<'_>) {}

    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        None
    }

    pub(crate) fn snapshot(&self) -> SwarmsSnapshot {
        SwarmsSnapshot {}
    }

    pub(crate) fn restore(&mut self, _cx: &mut Cx<'_>, _snapshot: SwarmsSnapshot) {}
}
