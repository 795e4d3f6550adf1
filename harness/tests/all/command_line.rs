//! What a user types, and what comes of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn shakedown(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shakedown")).args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The one line of trouble that a call gives, with status 2 and nothing on standard output.
fn trouble(folder: &Path, arguments: &[&str]) -> String {
    let output = shakedown(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    text(&output.stderr).trim_end().to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

const SHORT: [&str; 6] = ["--operations", "40", "--clients", "5", "--time", "2s"];

#[test]
fn a_run_leaves_its_directory_and_replays_byte_for_byte() {
    let folder = folder();
    let run = ["run", "raft-kv", "--mode", "log", "--workload", "kv", "--seed", "1"];
    let output = shakedown(folder.path(), &[&run[..], &SHORT[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1 run, 0 failing"));
    let directory = folder.path().join("results/runs/raft-kv-log-kv-1-c5-o40-2s");
    for file in ["plan.json", "history.jsonl", "trace.jsonl", "verdict.json", "report.html"] {
        assert!(directory.join(file).metadata().unwrap().len() > 100, "{file}");
    }
    let page = fs::read_to_string(directory.join("report.html")).unwrap();
    assert!(page.contains("VALID") && !page.contains("http://") && !page.contains("https://"));

    let output = shakedown(folder.path(), &["replay", "raft-kv-log-kv-1-c5-o40-2s"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("byte for byte"), "{}", text(&output.stdout));

    let history = directory.join("history.jsonl");
    fs::write(&history, fs::read_to_string(&history).unwrap().replacen("\"ok\"", "\"fail\"", 1)).unwrap();
    let output = shakedown(folder.path(), &["replay", "raft-kv-log-kv-1-c5-o40-2s"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stdout).contains("DIFFERS from the recorded run, first at history.jsonl line"));
}

#[test]
fn an_edited_plan_makes_a_run_of_its_own_and_a_broken_verdict_is_said() {
    let folder = folder();
    let run = ["run", "raft-kv", "--mode", "log", "--workload", "kv", "--seed", "1"];
    shakedown(folder.path(), &[&run[..], &SHORT[..]].concat());
    let name = "results/runs/raft-kv-log-kv-1-c5-o40-2s";
    let directory = folder.path().join(name);
    fs::write(directory.join("verdict.json"), "{").unwrap();
    let output = shakedown(folder.path(), &["replay", name]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("byte for byte"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("verdict.json is broken"), "{}", text(&output.stderr));

    let plan = directory.join("plan.json");
    let before = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, before.replace("\"stop_ms\":2000", "\"stop_ms\":1000")).unwrap();
    let output = shakedown(folder.path(), &["replay", name]);
    let told = text(&output.stdout);
    assert!(told.contains(&format!("report   {name}-edited-")) && told.contains("nothing to compare with"), "{told}");
    fs::write(&plan, before.replace("shakedown/plan/2", "shakedown/plan/1")).unwrap();
    let refused = trouble(folder.path(), &["replay", name]);
    assert!(refused.contains("schema: found \"shakedown/plan/1\", expected \"shakedown/plan/2\""), "{refused}");
}

#[test]
fn runs_of_other_options_have_other_names_and_the_page_is_of_this_campaign_alone() {
    let folder = folder();
    let run = ["run", "raft-kv", "--mode", "log", "--workload", "kv", "--seed", "1"];
    shakedown(folder.path(), &[&run[..], &SHORT[..]].concat());
    let more = ["--faults", "none", "--nodes", "3"];
    let output = shakedown(folder.path(), &[&run[..], &SHORT[..], &more[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let runs = folder.path().join("results/runs");
    assert!(runs.join("raft-kv-log-kv-1-c5-o40-2s").exists());
    assert!(runs.join("raft-kv-log-kv-1-n3-c5-o40-2s-no-faults").exists());
    let page = fs::read_to_string(runs.join("index.html")).unwrap();
    assert!(page.contains("1 run, and every claim held"));
    assert!(page.contains("--seed 1 --operations 40 --clients 5 --time 2s --faults none --nodes 3</code>"));
    assert!(page.contains(
        "--workload WORKLOAD --nodes 3 --clients 5 --operations 40 --time 2000ms --faults none --keep all --seed SEED"
    ));
}

#[test]
fn a_finding_that_cannot_be_kept_is_told_and_the_campaign_goes_on() {
    let folder = folder();
    let name = found(text(&shakedown(folder.path(), &[&PLANTED[..], &["--keep", "none"]].concat()).stdout));
    // Where its directory should come, something stands in the way that cannot be moved aside.
    let runs = folder.path().join("results/runs");
    fs::create_dir_all(runs.join("index.html")).unwrap();
    fs::write(runs.join(&name), "").unwrap();
    let output = shakedown(folder.path(), &PLANTED);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAIL raft-kv/read-index kv"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("error: "), "{}", text(&output.stderr));
}

#[test]
fn who_keeps_nothing_sees_the_witness_and_no_path_that_is_not_there() {
    let folder = folder();
    let output = shakedown(folder.path(), &[&PLANTED[..], &["--keep", "none"]].concat());
    let told = text(&output.stdout);
    assert!(told.contains("    A #") && !told.contains("results/runs") && !told.contains("report "), "{told}");
    let again = "run raft-kv --mode read-index --workload kv --defect read-without-quorum --keep all --seed ";
    assert!(told.contains(again), "{told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_history_of_a_run_is_a_history_to_check() {
    let folder = folder();
    let run = ["run", "raft-kv", "--mode", "log", "--workload", "kv", "--seed", "1"];
    shakedown(folder.path(), &[&run[..], &SHORT[..]].concat());
    let output = shakedown(folder.path(), &["check", "results/runs/raft-kv-log-kv-1-c5-o40-2s/history.jsonl"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("results/runs/raft-kv-log-kv-1-c5-o40-2s/history.jsonl: valid\n"));
}

/// A planted defect, looked for until it is found.
const PLANTED: [&str; 9] =
    ["run", "--defect", "read-without-quorum", "--workload", "kv", "--seeds", "0..200", "--stop-after", "1"];

/// The name of the run that found it.
fn found(told: &str) -> String {
    let seed = told.split(" seed ").nth(1).and_then(|rest| rest.split(':').next()).expect("a failing seed is told");
    format!("raft-kv-read-index-kv-{seed}-read-without-quorum")
}

#[test]
fn a_planted_defect_ends_with_status_1_its_witness_and_the_replay_command() {
    let folder = folder();
    let output = shakedown(folder.path(), &PLANTED);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    for expected in ["FAIL raft-kv/read-index kv", "stale-read", "    A #", "    B #", "by n"] {
        assert!(told.contains(expected), "{expected} is missing in\n{told}");
    }
    let name = found(told);
    assert!(told.contains(&format!("replay results/runs/{name}")), "{told}");
    let output = shakedown(folder.path(), &["replay", &format!("results/runs/{name}")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("byte for byte"));
}

#[test]
fn machines_get_a_line_a_run_and_a_summary_whatever_the_number_of_jobs() {
    let folder = folder();
    let lines = |jobs| {
        let run = ["run", "raft-kv", "--mode", "log", "--seeds", "0..4", "--format", "json", "--jobs", jobs];
        let output = shakedown(folder.path(), &[&run[..], &SHORT[..]].concat());
        assert_eq!(output.status.code(), Some(0));
        let lines: Vec<serde_json::Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines
    };
    let strip = |lines: Vec<serde_json::Value>| -> Vec<serde_json::Value> {
        lines
            .into_iter()
            .map(|mut line| {
                line.as_object_mut().unwrap().remove("seconds");
                line
            })
            .collect()
    };
    let one = lines("1");
    // Four seeds of four workloads.
    assert_eq!(one.len(), 17);
    assert!(one[..16].iter().all(|line| line["schema"] == "shakedown/run/1" && line["verdict"] == "valid"));
    assert_eq!(one[16]["schema"], "shakedown/summary/1");
    assert_eq!(one[16]["runs"], 16);
    assert_eq!(strip(one), strip(lines("3")));
}

#[test]
fn histories_are_judged_with_the_status_that_belongs_to_the_verdict() {
    let folder = folder();
    let write = |name: &str, lines: &[&str]| fs::write(folder.path().join(name), lines.join("\n")).unwrap();
    let written = r#"{"process":0,"type":"invoke","f":"write","value":1}"#;
    let done = r#"{"process":0,"type":"ok","f":"write","value":1}"#;
    let asked = r#"{"process":1,"type":"invoke","f":"read","value":null}"#;
    write("good", &[written, done, asked, r#"{"process":1,"type":"ok","f":"read","value":1}"#]);
    write("bad", &[written, done, asked, r#"{"process":1,"type":"ok","f":"read","value":null}"#]);
    write("broken", &[written, done, asked, r#"{"process":1,"type":"ok","f":"write","value":1}"#]);
    write("odd", &[r#"{"process":1,"type":"invoke","f":"fly","value":1}"#]);

    let output = shakedown(folder.path(), &["check", "good", "bad"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(told.starts_with("good: valid\n") && told.contains("\nbad: invalid\n"), "{told}");
    assert!(told.contains("process 1 read nil from the object at event 3, although process 0 had completed writing 1"));

    let output = shakedown(folder.path(), &["check", "--format", "json", "bad"]);
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["schema"], &line["verdict"]), (&"shakedown/verdict/1".into(), &"invalid".into()));
    assert_eq!(line["anomalies"][0]["operations"], serde_json::json!([0, 2]));

    let refused = trouble(folder.path(), &["check", "broken"]);
    assert!(refused.starts_with("error: broken:4:") && refused.contains("read"), "{refused}");
    let refused = trouble(folder.path(), &["check", "odd"]);
    assert!(refused.contains("odd: no model knows the function `fly`") && refused.contains("nearest: "), "{refused}");
    assert!(trouble(folder.path(), &["check", "nowhere"]).contains("nowhere"));
}

/// The history of one register: each write completes, and is then read, by another process, as it is or as it was before.
fn writes_and_reads(operations: usize, stale: bool) -> String {
    let mut lines = Vec::new();
    let mut event = |process: usize, event_type: &str, f: &str, value: Option<usize>| {
        lines.push(serde_json::json!({"process": process, "type": event_type, "f": f, "value": value}).to_string());
    };
    for n in 1..=operations {
        event(0, "invoke", "write", Some(n));
        event(0, "ok", "write", Some(n));
        event(1, "invoke", "read", None);
        event(1, "ok", "read", Some(if stale && n == operations { n - 1 } else { n }));
    }
    lines.join("\n")
}

#[test]
fn many_files_are_judged_at_once_and_told_in_their_order() {
    let folder = folder();
    let names: Vec<String> = (0..12).map(|n| format!("h{n}.jsonl")).collect();
    for (n, name) in names.iter().enumerate() {
        // The first ones take longest.
        fs::write(folder.path().join(name), writes_and_reads(20_000 / (n + 1), n % 3 == 1)).unwrap();
    }
    let mut arguments = vec!["check"];
    arguments.extend(names.iter().map(String::as_str));
    let output = shakedown(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let verdicts: Vec<&str> = text(&output.stdout).lines().filter(|line| line.starts_with('h')).collect();
    let expected: Vec<String> =
        (0..12).map(|n| format!("h{n}.jsonl: {}", if n % 3 == 1 { "invalid" } else { "valid" })).collect();
    assert_eq!(verdicts, expected);
}

#[test]
fn what_is_guessed_is_said_and_what_is_asked_for_is_not() {
    let folder = folder();
    fs::write(folder.path().join("h"), writes_and_reads(2, false)).unwrap();
    let told = |arguments: &[&str]| text(&shakedown(folder.path(), arguments).stdout).to_owned();
    let guessed = told(&["check", "h"]);
    assert_eq!(guessed, "h: valid\n  checked as register, linearizable (guessed from the operations)\n");
    let half = told(&["check", "--model", "kv", "h"]);
    assert_eq!(half, "h: valid\n  checked as kv, linearizable (the consistency is guessed)\n");
    assert_eq!(told(&["check", "--model", "kv", "--consistency", "linearizable", "h"]), "h: valid\n");
}

#[test]
fn snapshots_are_guessed_to_be_held_against_their_invariant() {
    let folder = folder();
    for (file, value, expected) in [
        ("bank", r#"{"a":1,"b":2}"#, "checked as bank, invariant"),
        ("fork", r#"[["r",0,1],["r",1,null]]"#, "checked as long-fork, invariant"),
        ("lists", "[1,2]", "checked as register, linearizable"),
    ] {
        let line = |kind: &str| format!(r#"{{"process":0,"type":"{kind}","f":"read","value":{value}}}"#);
        fs::write(folder.path().join(file), [line("invoke"), line("ok")].join("\n")).unwrap();
        let output = shakedown(folder.path(), &["check", file]);
        assert!(text(&output.stdout).contains(expected), "{}", text(&output.stdout));
    }
}

#[test]
fn a_check_that_runs_out_of_time_or_memory_is_undecided_and_says_what_would_help() {
    let folder = folder();
    fs::write(folder.path().join("h"), writes_and_reads(50_000, false)).unwrap();
    for (limit, value, said) in [
        ("--max-memory", "64KiB", "the allowed memory of 65536 bytes ran out after"),
        ("--max-seconds", "0", "the allowed time ran out after"),
    ] {
        let output = shakedown(folder.path(), &["check", limit, value, "h"]);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        let told = text(&output.stdout).replace("\n   ", "");
        assert!(told.starts_with("h: unknown") && told.contains(said) && told.contains("allow more"), "{told}");
    }
    // Which of forty additions make a sum: nothing but trying tells.
    let amount = |process: u64| 2 * (3_u64.pow(process as u32 % 20) % 1_000_003 + process);
    let event = |process: u64, event_type: &str, f: &str, value: Option<u64>| {
        serde_json::json!({"process": process, "type": event_type, "f": f, "value": value}).to_string()
    };
    let mut lines: Vec<String> =
        (0..40).map(|process| event(process, "invoke", "add", Some(amount(process)))).collect();
    lines.push(event(99, "invoke", "read", None));
    lines.push(event(99, "ok", "read", Some(2_000_001)));
    lines.extend((0..40).map(|process| event(process, "ok", "add", Some(amount(process)))));
    fs::write(folder.path().join("hard"), lines.join("\n")).unwrap();
    for (limit, value, said) in [
        ("--max-seconds", "0.5", "given up when its time was over"),
        ("--max-memory", "20MiB", " MiB of memory beside the history"),
    ] {
        let output = shakedown(folder.path(), &["check", "--model", "counter", limit, value, "hard"]);
        let told = text(&output.stdout).replace("\n   ", "");
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains(said) && told.contains("What would help: more "), "{told}");
    }
}

#[test]
fn an_explanation_has_its_zones_and_orders_as_data_and_in_words() {
    let folder = folder();
    let lines = [
        r#"{"process":0,"type":"invoke","f":"write","value":4}"#,
        r#"{"process":1,"type":"invoke","f":"read","value":null}"#,
        r#"{"process":1,"type":"ok","f":"read","value":4}"#,
        r#"{"process":2,"type":"invoke","f":"write","value":5}"#,
        r#"{"process":2,"type":"ok","f":"write","value":5}"#,
        r#"{"process":3,"type":"invoke","f":"read","value":null}"#,
        r#"{"process":3,"type":"ok","f":"read","value":4}"#,
        r#"{"process":0,"type":"ok","f":"write","value":4}"#,
    ];
    fs::write(folder.path().join("h"), lines.join("\n")).unwrap();
    let output = shakedown(folder.path(), &["check", "--format", "json", "h"]);
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let anomaly = &line["anomalies"][0];
    assert_eq!((&anomaly["name"], &anomaly["sources"]), (&"stale-read".into(), &serde_json::json!([0])));
    assert_eq!(anomaly["zones"].as_array().unwrap().len(), 2);
    assert_eq!(anomaly["orders"][0]["refused"][0]["operation"], 5);
    let output = shakedown(folder.path(), &["check", "h"]);
    let told = text(&output.stdout);
    assert!(
        told.contains("4 must have been there all the time from event 2 (#1 had ended) to event 5 (#5 began)"),
        "{told}"
    );
    assert!(told.contains("    after A B C: not D, for the value is 5, and it read 4"), "{told}");
    assert!(told.lines().count() < 20 && told.lines().all(|line| line.chars().count() <= 110), "{told}");
}

#[test]
fn other_guarantees_are_judged_with_their_anomalies_edges_and_nothing_that_is_not_so() {
    let folder = folder();
    let event = |process: u32, event_type: &str, f: &str, value: serde_json::Value| {
        serde_json::json!({"process": process, "type": event_type, "f": f, "value": value}).to_string()
    };
    let done = |process, f: &str, value: serde_json::Value| {
        [event(process, "invoke", f, value.clone()), event(process, "ok", f, value)]
    };
    let transactions = [
        done(0, "txn", serde_json::json!([["append", "x", 1], ["append", "y", 1]])),
        done(1, "txn", serde_json::json!([["append", "x", 2], ["append", "y", 2]])),
        done(2, "txn", serde_json::json!([["r", "x", [1, 2]], ["r", "y", [2, 1]]])),
    ];
    fs::write(folder.path().join("g0"), transactions.concat().join("\n")).unwrap();
    let ids = [done(0, "generate", 7.into()), done(1, "generate", 7.into())];
    fs::write(folder.path().join("ids"), ids.concat().join("\n")).unwrap();
    let register = |process, f: &str, value: serde_json::Value| {
        done(process, f, value).map(|line| line.replacen('{', "{\"key\":0,", 1))
    };
    let seen = [
        register(0, "write", 1.into()),
        register(1, "read", 1.into()),
        register(1, "write", 2.into()),
        register(2, "read", 2.into()),
        register(2, "read", 1.into()),
    ];
    fs::write(folder.path().join("causal"), seen.concat().join("\n")).unwrap();
    for (model, consistency, file, name, has_edges) in [
        ("list-append", "read-uncommitted", "g0", "G0", true),
        ("unique-ids", "invariant", "ids", "duplicate-id", false),
        ("kv", "causal", "causal", "WriteCORead", true),
    ] {
        let asked = ["check", "--model", model, "--consistency", consistency, file];
        let output = shakedown(folder.path(), &asked);
        let told = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{told}{}", text(&output.stderr));
        assert!(told.starts_with(&format!("{file}: invalid\n")) && told.contains(name), "{told}");
        assert!(!told.contains("fewer may be enough"), "{told}");
        let output = shakedown(folder.path(), &[&asked[..], &["--format", "json"]].concat());
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let anomaly = &line["anomalies"][0];
        assert_eq!((&line["consistency"], &anomaly["unreduced"]), (&consistency.into(), &false.into()), "{line}");
        assert_eq!(!anomaly["edges"].as_array().unwrap().is_empty(), has_edges, "{line}");
    }
}

#[test]
fn a_fingerprint_says_what_held_and_what_rules_out_the_next() {
    let folder = folder();
    let done = |process: u32, f: &str, value: &str| {
        ["invoke", "ok"].map(|kind| format!(r#"{{"process":{process},"type":"{kind}","f":"{f}","value":{value}}}"#))
    };
    let late = [done(0, "write", "1"), done(0, "write", "2"), done(1, "read", "1")].concat().join("\n");
    fs::write(folder.path().join("late"), late).unwrap();
    let skew = [
        r#"{"process":0,"type":"invoke","f":"txn","value":[["r","x",null],["w","y",1]]}"#,
        r#"{"process":1,"type":"invoke","f":"txn","value":[["r","y",null],["w","x",1]]}"#,
        r#"{"process":0,"type":"ok","f":"txn","value":[["r","x",null],["w","y",1]]}"#,
        r#"{"process":1,"type":"ok","f":"txn","value":[["r","y",null],["w","x",1]]}"#,
    ];
    fs::write(folder.path().join("skew"), skew.join("\n")).unwrap();
    let output = shakedown(folder.path(), &["check", "--consistency", "fingerprint", "late"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.starts_with("late: invalid\n") && told.contains("strongest that held: sequential\n"), "{told}");
    assert!(told.contains("broken just above: linearizable (stale-read)"), "{told}");
    let output = shakedown(folder.path(), &["check", "--consistency", "fingerprint", "--format", "json", "skew"]);
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let strongest = line["strongest"].as_array().unwrap();
    assert!(strongest.contains(&"strong-snapshot-isolation".into()), "{line}");
    let above = &line["ruled_out_by"][0];
    assert_eq!((&above["level"], &above["anomaly"]), (&"repeatable-read".into(), &"G2-item".into()), "{line}");
    assert_eq!(above["operations"], line["anomalies"][0]["operations"]);
    assert!(line["ruled_out"].as_array().unwrap().contains(&"serializable".into()), "{line}");
}

#[test]
fn what_cannot_be_decided_of_a_model_is_refused_with_what_can() {
    let folder = folder();
    for (model, consistency, expected) in [
        ("kv", "serializable", "serializable is not decided of kv: expected --consistency linearizable, sequential"),
        (
            "stack",
            "causal",
            "causal is not decided of stack: expected --consistency linearizable, eventual or fingerprint",
        ),
        ("bank", "causal", "causal is not decided of bank: expected --consistency invariant"),
        ("list-append", "pram", "pram is not decided of list-append: expected --consistency a level of transactions"),
        ("list-append", "eventual", "eventual is not decided of list-append: expected --consistency a level"),
        ("kv", "strong", "there is no consistency \"strong\"; there are read-uncommitted"),
    ] {
        let refused = trouble(folder.path(), &["check", "--model", model, "--consistency", consistency, "h"]);
        assert!(refused.contains(expected) && refused.lines().count() == 1, "{refused}");
    }
}

#[test]
fn completions_alone_are_not_asked_about_real_time() {
    let folder = folder();
    fs::write(folder.path().join("h"), r#"{"process":0,"type":"ok","f":"txn","value":[["r","x",1]]}"#).unwrap();
    let refused = trouble(folder.path(), &["check", "--model", "multi-register", "h"]);
    assert!(refused.contains("completions without invocations"), "{refused}");
}

#[test]
fn what_is_not_known_is_refused_in_one_line_that_says_what_is() {
    let folder = folder();
    let cases: [(&[&str], &str); 8] = [
        (&["run", "raft"], "there is no system \"raft\"; there are raft-kv"),
        (&["run", "raft-kv", "--mode", "fast"], "there is no mode \"fast\"; there are"),
        (&["run", "--workload", "x"], "there is no workload \"x\"; there are kv, register"),
        (&["run", "--defect", "x"], "there is no defect \"x\"; there are ack-before-sync"),
        (&["run", "--faults", "kill,rain"], "there is no fault \"rain\"; nearest: ring; there are partition"),
        (&["run", "--seeds", "5..5"], "expected A..B with A below B"),
        (&["run", "--time", "6"], "expected a time up to an hour with its unit"),
        (&["check", "--model", "graph", "x"], "there is no model \"graph\"; there are register"),
    ];
    for (arguments, expected) in cases {
        let refused = trouble(folder.path(), arguments);
        assert!(refused.contains(expected) && refused.lines().count() == 1, "{refused}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_with_its_place() {
    let folder = folder();
    let run = ["run", "raft-kv", "--mode", "log", "--workload", "kv", "--seed", "1", "--faults", "kill"];
    shakedown(folder.path(), &[&run[..], &SHORT[..]].concat());
    let plan =
        fs::read_to_string(folder.path().join("results/runs/raft-kv-log-kv-1-c5-o40-2s-kill/plan.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let edited = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut value = value.clone();
        edit(&mut value);
        fs::write(folder.path().join("edited.json"), value.to_string()).unwrap();
        trouble(folder.path(), &["replay", "edited.json"])
    };
    let refused = edited(&|plan| plan["faults"][0]["fault"]["nodes"] = serde_json::json!(["n9"]));
    assert!(refused.contains("faults[0].fault: there is no node \"n9\"; the nodes are n1, n2"), "{refused}");
    let refused = edited(&|plan| plan["system"] = "etcd".into());
    assert!(refused.contains("there is no system \"etcd\""), "{refused}");
    let refused = edited(&|plan| plan["mode"] = "fast".into());
    assert!(refused.contains("mode: raft-kv has no mode \"fast\""), "{refused}");
    let refused = edited(&|plan| plan["clients"][1]["operations"][2]["do"]["f"] = "fly".into());
    assert!(refused.contains("clients[1].operations[2].do: unknown variant `fly`"), "{refused}");
    fs::write(folder.path().join("edited.json"), &plan[..plan.len() / 2]).unwrap();
    let refused = trouble(folder.path(), &["replay", "edited.json"]);
    assert!(refused.starts_with("error: edited.json:") && refused.contains("EOF"), "{refused}");
    assert!(trouble(folder.path(), &["replay", "nothing"]).contains("there is no run nothing"));
}

#[test]
fn an_edited_plan_makes_a_run_of_its_own_and_leaves_the_recorded_one_alone() {
    let folder = folder();
    let run = ["run", "raft-kv", "--mode", "log", "--workload", "kv", "--seed", "1"];
    shakedown(folder.path(), &[&run[..], &SHORT[..]].concat());
    let directory = folder.path().join("results/runs/raft-kv-log-kv-1-c5-o40-2s");
    let recorded = fs::read(directory.join("history.jsonl")).unwrap();
    let plan = fs::read_to_string(directory.join("plan.json")).unwrap();
    let mut edited: serde_json::Value = serde_json::from_str(&plan).unwrap();
    edited["clients"][0]["operations"] = serde_json::json!([]);
    for place in [folder.path().join("edited.json"), directory.join("plan.json")] {
        fs::write(&place, edited.to_string()).unwrap();
        let output = shakedown(folder.path(), &["replay", place.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("raft-kv-log-kv-1-c5-o40-2s-edited-"), "{}", text(&output.stdout));
        assert_eq!(fs::read(directory.join("history.jsonl")).unwrap(), recorded);
    }
}

#[test]
fn a_read_whose_value_counts_as_not_recorded_is_told() {
    let folder = folder();
    let lines = [
        r#"{"process":1,"type":"invoke","f":"read","value":null}"#,
        r#"{"process":1,"type":"ok","f":"read","value":null}"#,
    ];
    fs::write(folder.path().join("nil"), lines.join("\n")).unwrap();
    let output = shakedown(folder.path(), &["check", "--model", "register", "--initial", "0", "nil"]);
    assert!(text(&output.stdout).contains("1 reads returned nil"), "{}", text(&output.stdout));
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_before_anything_runs() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let refused = trouble(folder.path(), &["run", "raft-kv", "--seed", "1", "--out", "file/runs"]);
    assert!(refused.starts_with("error: file/runs:"), "{refused}");
}

#[test]
fn everything_that_has_a_name_is_listed() {
    let folder = folder();
    let output = shakedown(folder.path(), &["list"]);
    for name in ["raft-kv", "follower-local", "power-loss", "cas-register", "vote-ignores-log", "log-truncated"] {
        assert!(text(&output.stdout).contains(name), "{name}");
    }
    let output = shakedown(folder.path(), &["list", "defects", "--format", "json"]);
    let lines = text(&output.stdout).lines().map(serde_json::from_str::<serde_json::Value>);
    assert!(lines.map(Result::unwrap).all(|line| line["schema"] == "shakedown/list/1" && line["kind"] == "defects"));
}
