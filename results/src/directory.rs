//! The directory of a run: `plan.json history.jsonl trace.jsonl verdict.json report.html`.
//!
//! It appears whole or not at all: the files are written beside it, and it is put in place when they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use shakedown_checkers::History;
use shakedown_checkers::history::write_json_lines;
use thiserror::Error;

use crate::page::{self, RunPage};
use crate::record::RunRecord;
use crate::trace::TraceLine;

/// What could not be written, and why.
#[derive(Debug, Error)]
#[error("{path}: {source}")]
pub struct WriteError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system says.
    pub source: io::Error,
}

/// Everything that is known of a run.
pub struct Run<'a> {
    /// What was found.
    pub record: &'a RunRecord,
    /// What clients saw.
    pub history: &'a History,
    /// What nodes and clients said.
    pub trace: &'a [TraceLine],
    /// The plan, as its file holds it.
    pub plan: &'a str,
}

/// A directory in which runs are being written. While it is held, nobody takes its unfinished files away.
#[derive(Debug)]
pub struct Root {
    _lock: File,
}

/// Makes sure that runs can be written below a directory, which is made if it is not there. What a campaign that was killed left
/// unfinished is taken away, unless another campaign is still at work there.
///
/// # Errors
/// If runs cannot be written.
pub fn prepare(root: &Path) -> Result<Root, WriteError> {
    let failed = |source| WriteError { path: root.to_owned(), source };
    fs::create_dir_all(root).map_err(failed)?;
    tempfile::Builder::new().prefix(PROBE).tempfile_in(root).map_err(failed)?;
    let lock = File::options().create(true).truncate(false).write(true).open(root.join(".lock")).map_err(failed)?;
    if lock.try_lock().is_ok() {
        clear(root).map_err(failed)?;
        lock.unlock().map_err(failed)?;
    }
    lock.lock_shared().map_err(failed)?;
    Ok(Root { _lock: lock })
}

const PROBE: &str = ".probe";
const FILE: &str = ".file";
const PART: &str = ".part";

/// Takes away what is unfinished. A run that had stepped aside for one that never came is put back.
fn clear(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(".old") && name.ends_with(PART) {
            for run in fs::read_dir(&path)? {
                let run = run?;
                let place = root.join(run.file_name());
                if !place.exists() {
                    fs::rename(run.path(), place)?;
                }
            }
            fs::remove_dir_all(&path)?;
        } else if name.starts_with(".run") && name.ends_with(PART) {
            fs::remove_dir_all(&path)?;
        } else if name.starts_with(PROBE) || name.starts_with(FILE) && name.ends_with(PART) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Writes a run below a directory, in place of what its name stood for before; tells where.
///
/// # Errors
/// If it cannot be written; nothing half written is left.
pub fn write(root: &Path, run: &Run<'_>) -> Result<PathBuf, WriteError> {
    let target = root.join(&run.record.run);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { path, source }
    };
    let part = tempfile::Builder::new().prefix(".run").suffix(PART).tempdir_in(root).map_err(failed(root))?;
    let file = |name: &str, fill: &dyn Fn(&mut BufWriter<File>) -> io::Result<()>| {
        let path = part.path().join(name);
        let write = || {
            let mut out = BufWriter::new(File::create(&path)?);
            fill(&mut out)?;
            out.flush()
        };
        write().map_err(failed(&target.join(name)))
    };
    file("plan.json", &|out| out.write_all(run.plan.as_bytes()))?;
    file("history.jsonl", &|out| write_json_lines(run.history, out))?;
    file("trace.jsonl", &|out| write_trace(run.trace, out))?;
    file("verdict.json", &|out| {
        serde_json::to_writer_pretty(&mut *out, run.record)?;
        out.write_all(b"\n")
    })?;
    let plan = serde_json::from_str(run.plan).unwrap_or_default();
    let page = page::render(&RunPage { record: run.record, history: run.history, trace: run.trace, plan: &plan });
    file("report.html", &|out| out.write_all(page.as_bytes()))?;
    // The old one steps aside, so that at no moment there is none.
    let aside = tempfile::Builder::new().prefix(".old").suffix(PART).tempdir_in(root).map_err(failed(root))?;
    if target.exists() {
        fs::rename(&target, aside.path().join(&run.record.run)).map_err(failed(&target))?;
    }
    fs::rename(part.path(), &target).map_err(failed(&target))?;
    // Its path has gone to its place: there is nothing left to take away.
    let _ = part.keep();
    Ok(target)
}

/// Writes a trace as its file holds it.
///
/// # Errors
/// If `out` fails.
pub fn write_trace(trace: &[TraceLine], out: &mut impl Write) -> io::Result<()> {
    for line in trace {
        serde_json::to_writer(&mut *out, line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes a file below a directory, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write_file(root: &Path, name: &str, content: &str) -> Result<PathBuf, WriteError> {
    let target = root.join(name);
    let write = || {
        let mut part = readable_by_all(tempfile::Builder::new().prefix(FILE).suffix(PART)).tempfile_in(root)?;
        part.write_all(content.as_bytes())?;
        part.persist(&target).map_err(|error| error.error)
    };
    match write() {
        Ok(_) => Ok(target),
        Err(source) => Err(WriteError { path: target, source }),
    }
}

/// Temporary files are their owner's alone; what a campaign leaves is for others too.
fn readable_by_all<'b, 'p, 's>(file: &'b mut tempfile::Builder<'p, 's>) -> &'b mut tempfile::Builder<'p, 's> {
    #[cfg(unix)]
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_of_a_campaign_is_readable_by_others() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().expect("there is room");
        let file = write_file(root.path(), "index.html", "runs").expect("it can be written");
        let mode = fs::metadata(file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o044, 0o044, "{mode:o}");
    }

    #[test]
    fn what_was_left_unfinished_is_taken_away_and_what_had_stepped_aside_comes_back() {
        let root = tempfile::tempdir().expect("there is room");
        let path = |name: &str| root.path().join(name);
        for folder in [".runAb.part", ".oldCd.part/kept", ".oldEf.part/again", "again", "other"] {
            fs::create_dir_all(path(folder)).expect("it can be made");
        }
        for file in [".probeX", ".fileY.part", "index.html"] {
            fs::write(path(file), "").expect("it can be written");
        }
        let busy = prepare(root.path()).expect("it can be written to");
        let mut left: Vec<String> = fs::read_dir(root.path())
            .expect("it is there")
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort_unstable();
        assert_eq!(left, [".lock", "again", "index.html", "kept", "other"]);
        // While one campaign is at work, another leaves its files alone.
        fs::create_dir(path(".runGh.part")).expect("it can be made");
        let another = prepare(root.path()).expect("it can be written to");
        assert!(path(".runGh.part").exists());
        drop((busy, another));
        prepare(root.path()).expect("it can be written to");
        assert!(!path(".runGh.part").exists());
    }
}
