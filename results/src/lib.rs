//! What a run leaves behind.
//!
//! ```text
//!   harness ──RunRecord, History, TraceLine, plan──► directory      plan.json history.jsonl trace.jsonl verdict.json
//!                                                    page           report.html
//!                                                    terminal       a failure in a block
//!   all RunRecords ────────────────────────────────► index          index.html
//!                                                    terminal       a table
//! ```
//!
//! Read [`record`] first: it is what is known of a run when it is over. Nothing here decides anything.

pub mod directory;
pub mod index;
pub mod page;
pub mod record;
pub mod terminal;
pub mod trace;

pub use page::witness::letter;
pub use record::{
    AnomalyRecord, ClaimRecord, EdgeRecord, ExplanationRecord, FaultRecord, Messages, OrderRecord, Outcomes, Phases,
    RUN_SCHEMA, RefusalRecord, RuledOut, RunRecord, VerdictWord, ZoneRecord,
};
pub use trace::TraceLine;
