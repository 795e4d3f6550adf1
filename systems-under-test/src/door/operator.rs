//! What an operator may ask of a running system.

/// Something that an operator does to a running system, beside breaking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What: one of the names in [`System::operator`](super::System::operator).
    pub name: &'static str,
    /// Of which nodes.
    pub nodes: Vec<String>,
}
