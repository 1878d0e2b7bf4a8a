//! Which ICE servers a party is given.

use wigwag_wire::event::IceServer;

use crate::ids::Party;
use crate::rules::IceRules;
use crate::time::Wall;

/// What a party is given, and until when it is good.
pub(crate) struct Grant {
    pub(crate) servers: Vec<IceServer>,
    pub(crate) expires: Option<Wall>,
}

/// The servers for a party.
pub(crate) fn grant(rules: &IceRules, _to: &Party, _now: Wall) -> Grant {
    Grant { servers: rules.servers.clone(), expires: None }
}

/// After how many milliseconds a grant should be made anew.
pub(crate) fn refresh_after_ms(_rules: &IceRules) -> Option<u64> {
    None
}
