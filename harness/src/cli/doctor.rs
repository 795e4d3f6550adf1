//! `shakedown doctor`.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::catalogue::pairings;
use crate::determinism::{self, Diagnosis};

use super::run::wanted;
use super::{CliError, DoctorArguments, Status, print};

pub(super) fn doctor(arguments: &DoctorArguments, json: bool) -> Result<Status, CliError> {
    let pairings = pairings();
    let mut status = Status::Held;
    for (pairing, scenario) in wanted(&arguments.what, &pairings)? {
        let plan = pairing.draw(&scenario, arguments.seed)?;
        let Diagnosis { judged, differs } = determinism::diagnose(pairing, plan, elsewhere)?;
        let record = &judged.record;
        if differs.is_some() {
            status = Status::Differs;
        }
        if json {
            print(
                json!({"schema": "shakedown/doctor/1", "run": record.run, "events_hash": record.events_hash, "differs": differs}),
            );
            continue;
        }
        let same = format!("the same twice here and once in another process ({} events)", judged.execution.trace.len());
        print(format_args!("{}: {}", record.run, differs.unwrap_or(same)));
    }
    Ok(status)
}

/// The command that runs a plan in another process.
fn elsewhere(plan: &Path, out: &Path) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("replay").arg(plan).arg("--out").arg(out);
    Ok(command)
}
