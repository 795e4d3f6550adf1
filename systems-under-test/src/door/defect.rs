//! Bugs planted on purpose.

/// A bug that real systems had, planted on purpose; off unless asked for.
#[derive(Clone, Copy, Debug)]
pub struct Defect<B: 'static> {
    /// What is told of it.
    pub info: DefectInfo,
    /// The switch that the system knows it by.
    pub bug: B,
}

/// A defect as the command line knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefectInfo {
    /// The name on the command line.
    pub name: &'static str,
    /// What is wrong.
    pub wrong: &'static str,
    /// Where the bug was real.
    pub source: &'static str,
    /// The mode that executes the wrong branch.
    pub mode: &'static str,
    /// From 1 (most seeds show it) to 5 (a rare interleaving).
    pub difficulty: u8,
}
