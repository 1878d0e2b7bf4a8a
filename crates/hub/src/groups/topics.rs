//! Topics: publish and subscribe.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wigwag_wire::Refusal;
use wigwag_wire::request::Publish;

use crate::cx::Cx;
use crate::ids::{GroupKey, Party};

#[derive(Default)]
pub(crate) struct Topics {}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TopicsSnapshot {}

impl Topics {
    pub(crate) fn subscribe(&mut self, _cx: &mut Cx<'_>, _who: &Arc<Party>, _key: &GroupKey) -> Result<(), Refusal> {
        Ok(())
    }

    pub(crate) fn unsubscribe(&mut self, _cx: &mut Cx<'_>, _who: &Party, _key: &GroupKey) {}

    pub(crate) fn publish(
        &mut self,
        _cx: &mut Cx<'_>,
        _who: &Arc<Party>,
        _n: Option<u64>,
        _publish: &Publish<'_>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    pub(crate) fn ended(&mut self, _cx: &mut Cx<'_>, _who: &Party, _key: &GroupKey) {}

    pub(crate) fn snapshot(&self) -> TopicsSnapshot {
        TopicsSnapshot {}
    }

    pub(crate) fn restore(&mut self, _cx: &mut Cx<'_>, _snapshot: TopicsSnapshot) {}
}
