//! **What conflicts before what**: for each read the writes of its key in its past that are not in the past of what it saw.

use super::clocks;
use super::found::{Inference, Why};
use super::limits::{Limits, Over};
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;

/// `from` conflicts before `to`: `reader` read what `to` wrote to the key, and what `from` wrote is in its past.
#[derive(Clone, Copy)]
pub(super) struct Conflict {
    pub from: Node,
    pub to: Node,
    pub key: u32,
    pub reader: Node,
}

impl Conflict {
    pub fn inference(self) -> Inference {
        Inference { from: self.from, to: self.to, why: Why::Conflict { key: self.key, reader: self.reader } }
    }
}

/// Tells for each read, and each session, the newest writer of the key in the read's past, unless that is in the past of what was read:
/// writer, source, reader, key.
pub(super) fn each(
    sessions: &Sessions,
    limits: &Limits,
    mut tell: impl FnMut(Node, Node, Node, u32) -> Result<(), Over>,
) -> Result<(), Stopped> {
    clocks::walk(sessions, limits, |reader, clock, clocks| {
        for read in sessions.reads(reader) {
            let before: &[Node] =
                if read.source == NONE { &sessions.starts[..sessions.count()] } else { clocks.of(read.source) };
            for (session, writers) in sessions.writers(read.key) {
                if clock[session] > before[session]
                    && let Some(writer) = newest(writers, before[session], clock[session])
                {
                    tell(writer, read.source, reader, read.key)?;
                }
            }
        }
        Ok(())
    })
}

/// The last of some nodes below `end`, if it is not below `from`.
pub(super) fn newest(writers: &[Node], from: Node, end: Node) -> Option<Node> {
    let last = *writers.last()?;
    if last < from || writers[0] >= end {
        return None;
    }
    if last < end {
        return Some(last);
    }
    let below = writers.partition_point(|&writer| writer < end);
    Some(writers[below.checked_sub(1)?]).filter(|&writer| writer >= from)
}
