//! Why a walk along an order did not come to its end.

use super::limits::Over;
use super::sessions::Node;

/// Why a walk along an order did not come to its end.
#[derive(Clone, Debug)]
pub(super) enum Stopped {
    /// The order has this cycle.
    Cycle(Vec<Node>),
    Over(Over),
}

impl From<Over> for Stopped {
    fn from(over: Over) -> Stopped {
        Stopped::Over(over)
    }
}
