//! A system that can be run in several ways, each with what it promises.

use std::time::Duration;

use shakedown_checkers::Claim;

use super::{Defect, DefectInfo, Recovery, System};

/// A system with modes and planted defects, as the command line lists them. A row carries its value: nothing is looked up by
/// its name twice.
pub trait Family: System + Sized {
    /// What tells modes apart.
    type Mode: Copy + 'static;
    /// What tells defects apart.
    type Bug: Copy + 'static;

    /// The name on the command line.
    const NAME: &'static str;

    /// One line about it.
    const SUMMARY: &'static str;

    /// Its modes; the first is the one it runs in unless told otherwise.
    const MODES: &'static [Mode<Self::Mode>];

    /// Its planted defects.
    const DEFECTS: &'static [Defect<Self::Bug>] = &[];

    /// The system in a mode, with a defect or none.
    fn new(mode: Self::Mode, bug: Option<Self::Bug>) -> Self;
}

/// A way to run a system. A mode is judged by its claims only.
#[derive(Clone, Copy, Debug)]
pub struct Mode<V: 'static> {
    /// The name on the command line.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// What it promises.
    pub claims: &'static [Claim],
    /// What the system knows it by.
    pub value: V,
}

/// Everything that is told of a system.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemInfo {
    /// The name on the command line.
    pub name: String,
    /// One line about it.
    pub summary: String,
    /// Its modes; the first is the one it runs in unless told otherwise.
    pub modes: Vec<ModeInfo>,
    /// Its planted defects.
    pub defects: Vec<DefectInfo>,
}

/// What is told of a system in a mode.
#[derive(Clone, Debug, PartialEq)]
pub struct ModeInfo {
    /// The name on the command line.
    pub name: String,
    /// One line about it.
    pub summary: String,
    /// What it promises.
    pub claims: Vec<Claim>,
    /// See [`System::roles`].
    pub roles: &'static [&'static str],
    /// See [`System::moments`].
    pub moments: &'static [&'static str],
    /// See [`System::marks`].
    pub marks: &'static [(&'static str, &'static str)],
    /// See [`System::recovery`].
    pub recovery: Recovery,
    /// See [`System::timeouts`].
    pub timeouts: &'static [Duration],
    /// See [`System::endures`].
    pub endures: &'static [&'static str],
    /// See [`System::never_meets`].
    pub never_meets: &'static [&'static str],
    /// See [`System::excludes`].
    pub excludes: &'static [&'static str],
    /// See [`System::drift_bound`].
    pub drift_bound: Option<f64>,
    /// See [`System::operator`].
    pub operator: &'static [&'static str],
}

impl SystemInfo {
    /// What is told of a family of systems.
    pub fn of_family<F: Family>() -> SystemInfo {
        let mode = |mode: &Mode<F::Mode>| {
            let system = F::new(mode.value, None);
            ModeInfo::of(&system, mode.name, mode.summary, mode.claims)
        };
        SystemInfo {
            name: F::NAME.to_owned(),
            summary: F::SUMMARY.to_owned(),
            modes: F::MODES.iter().map(mode).collect(),
            defects: F::DEFECTS.iter().map(|defect| defect.info).collect(),
        }
    }

    /// What is told of a system that runs in one way only, and promises this.
    pub fn of_system<S: System>(system: &S, claims: &[Claim]) -> SystemInfo {
        SystemInfo {
            name: system.name(),
            summary: String::new(),
            modes: vec![ModeInfo::of(system, "only", "the only one", claims)],
            defects: Vec::new(),
        }
    }

    /// The mode with this name.
    pub fn mode(&self, name: &str) -> Option<&ModeInfo> {
        self.modes.iter().find(|mode| mode.name == name)
    }
}

impl ModeInfo {
    fn of<S: System>(system: &S, name: &str, summary: &str, claims: &[Claim]) -> ModeInfo {
        ModeInfo {
            name: name.to_owned(),
            summary: summary.to_owned(),
            claims: claims.to_vec(),
            roles: system.roles(),
            moments: system.moments(),
            marks: system.marks(),
            recovery: system.recovery(),
            timeouts: system.timeouts(),
            endures: system.endures(),
            never_meets: system.never_meets(),
            excludes: system.excludes(),
            drift_bound: system.drift_bound(),
            operator: system.operator(),
        }
    }
}
