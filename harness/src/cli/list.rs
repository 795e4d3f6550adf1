//! `shakedown list`.

use clap::ValueEnum;
use serde_json::json;
use shakedown_checkers::ModelName;
use shakedown_checkers::levels::Level;
use shakedown_systems::door::SystemInfo;

use crate::catalogue::{Pairing, pairings};
use crate::faults::Group;
use crate::plan::FaultKind;

use super::{CliError, ListArguments, Status, print};

/// What can be listed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    Systems,
    Modes,
    Workloads,
    Faults,
    Models,
    Consistency,
    Defects,
    Marks,
}

struct Item {
    what: &'static str,
    name: String,
    summary: String,
}

pub(super) fn list(arguments: &ListArguments, json: bool) -> Result<Status, CliError> {
    let all = What::value_variants();
    let wanted = arguments.what.map_or(all.to_vec(), |what| vec![what]);
    for what in wanted {
        let items = items(what);
        if json {
            for item in items {
                let line = json!({"schema": "shakedown/list/1", "kind": item.what, "name": item.name, "summary": item.summary});
                print(line);
            }
            continue;
        }
        if let Some(first) = items.first() {
            print(first.what);
        }
        let width = items.iter().map(|item| item.name.len()).max().unwrap_or(0);
        for item in items {
            print(format_args!("  {:width$}  {}", item.name, item.summary));
        }
    }
    Ok(Status::Held)
}

fn items(what: What) -> Vec<Item> {
    let item = |what, name: &str, summary: &str| Item { what, name: name.to_owned(), summary: summary.to_owned() };
    let pairings = pairings();
    let systems = systems(&pairings);
    match what {
        What::Systems => systems.iter().map(|s| item("systems", &s.name, &s.summary)).collect(),
        What::Modes => systems
            .iter()
            .flat_map(|system| {
                system.modes.iter().map(move |mode| {
                    let claims: Vec<&str> = mode.claims.iter().map(|claim| claim.name()).collect();
                    let mut unless: Vec<String> = mode.excludes.iter().map(|kind| (*kind).to_owned()).collect();
                    let drift = |bound| format!("clock-drift beyond {:.0} %, clock-freeze", bound * 100.0);
                    unless.extend(mode.drift_bound.map(drift));
                    let unless = match unless.as_slice() {
                        [] => String::new(),
                        kinds => format!("; nothing under {}", kinds.join(", ")),
                    };
                    let summary = format!("{} (claims {}{unless})", mode.summary, claims.join(", "));
                    item("modes", &format!("{} {}", system.name, mode.name), &summary)
                })
            })
            .collect(),
        What::Workloads => pairings
            .iter()
            .map(|p| item("workloads", &format!("{} {}", p.system().name, p.workload()), p.workload_summary()))
            .collect(),
        What::Faults => FaultKind::ALL
            .iter()
            .map(|(name, summary)| {
                let group = Group::ALL.iter().find(|(_, group)| FaultKind::group(name) == Some(*group));
                let group = group.map_or("", |(group, _)| group);
                let beyond = if FaultKind::is_beyond_most(name) { "; only for systems that endure it" } else { "" };
                item("faults", name, &format!("{summary} ({group}{beyond})"))
            })
            .collect(),
        What::Models => ModelName::ALL.iter().map(|model| item("models", model.name(), model.summary())).collect(),
        What::Consistency => {
            Level::ALL.iter().map(|level| item("consistency", level.name(), level.summary())).collect()
        }
        What::Defects => systems
            .iter()
            .flat_map(|system| {
                system.defects.iter().map(move |defect| {
                    let summary = format!(
                        "{} (in {}, difficulty {}; {})",
                        defect.wrong, defect.mode, defect.difficulty, defect.source
                    );
                    item("defects", &format!("{} {}", system.name, defect.name), &summary)
                })
            })
            .collect(),
        What::Marks => {
            let mut marks: Vec<Item> = Vec::new();
            for system in systems {
                for (name, summary) in system.modes.iter().flat_map(|mode| mode.marks) {
                    let mark = item("marks", &format!("{} {name}", system.name), summary);
                    if marks.iter().all(|known| known.name != mark.name) {
                        marks.push(mark);
                    }
                }
            }
            marks
        }
    }
}

/// Each system once.
fn systems(pairings: &[Box<dyn Pairing>]) -> Vec<&SystemInfo> {
    let mut systems: Vec<&SystemInfo> = Vec::new();
    for system in pairings.iter().map(|pairing| pairing.system()) {
        if systems.iter().all(|known| known.name != system.name) {
            systems.push(system);
        }
    }
    systems
}
