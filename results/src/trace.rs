//! The trace of a run: what its nodes said they did, in order. One line of `trace.jsonl` each.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something that a node, a client or the nemesis did.
///
/// Events that the page draws, for any system that emits them:
///
/// | event | fields | meaning |
/// | --- | --- | --- |
/// | `started`, `stopped` | | the node's process began, died |
/// | `role` | `role`, `term` | the node became `leader`, `candidate` or `follower` of a term |
/// | `answered` | `operation`, `role`, `term` | the node's answer completed the operation with this index |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceLine {
    /// Simulated nanoseconds.
    pub time: u64,
    /// The node, or `clients`, or `nemesis`.
    pub node: String,
    /// What happened.
    pub event: String,
    /// The details.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}
