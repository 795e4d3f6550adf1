//! Writes pages of runs made by hand, to be looked at in a browser.
//!
//! ```text
//!   cargo run -p shakedown-results --example fixture_pages -- /tmp/pages
//! ```

#[path = "../tests/fixtures/mod.rs"]
#[allow(missing_docs, clippy::unwrap_used, reason = "made for tests")]
mod fixtures;

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "/tmp/pages".to_owned()));
    std::fs::create_dir_all(&directory)?;
    let runs = [
        ("valid", fixtures::valid()),
        ("invalid", fixtures::invalid()),
        ("unknown", fixtures::unknown()),
        ("panic", fixtures::panicked()),
        ("empty", fixtures::empty()),
        ("hostile", fixtures::hostile()),
        ("large", fixtures::large()),
    ];
    for (name, run) in runs.iter().chain(&fixtures::edges::all()) {
        std::fs::write(directory.join(format!("{name}.html")), run.html())?;
    }
    let mut records: Vec<_> = runs.iter().take(4).map(|(_, run)| run.record.clone()).collect();
    for seed in 1..40 {
        let mut record = records[if seed % 11 == 0 { 1 } else { 0 }].clone();
        record.seed = seed;
        record.run = format!("{}-{}-kv-{seed}", record.system, record.mode);
        records.push(record);
    }
    std::fs::write(directory.join("index.html"), shakedown_results::index::render_index(&records, &Default::default()))
}
