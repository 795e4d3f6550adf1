//! Same plan, same bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use shakedown::catalogue::{JudgedRun, Pairing, pairings, plan_text};
use shakedown::checkers::history::write_json_lines;
use shakedown::plan::{Moment, Plan};
use shakedown::scenario::Scenario;
use shakedown_results::directory::write_trace;

fn scenario(pairing: &dyn Pairing, mode: &str) -> Scenario {
    Scenario { clients: 6, operations: Some(60), stop_ms: 2_500, ..Scenario::new(&pairing.system().name, mode) }
}

fn bytes(judged: &JudgedRun) -> (Vec<u8>, Vec<u8>) {
    let (mut history, mut trace) = (Vec::new(), Vec::new());
    write_json_lines(&judged.execution.history, &mut history).unwrap();
    write_trace(&judged.trace(), &mut trace).unwrap();
    (history, trace)
}

#[test]
fn a_plan_runs_twice_to_the_same_history_and_trace() {
    for pairing in pairings() {
        for mode in &pairing.system().modes {
            for seed in 0..3 {
                let scenario = scenario(&*pairing, &mode.name);
                let plan = pairing.draw(&scenario, seed).unwrap();
                let (one, two) = (pairing.run(plan.clone()).unwrap(), pairing.run(plan).unwrap());
                assert!(one.execution.history.len() > 100);
                assert_eq!(one.record.events_hash, two.record.events_hash);
                assert_eq!(bytes(&one), bytes(&two));
            }
        }
    }
}

#[test]
fn a_run_is_the_same_on_another_thread_while_others_run() {
    let hash = |seed| {
        let pairing = &pairings()[0];
        let plan = pairing.draw(&scenario(&**pairing, "log"), seed).unwrap();
        pairing.run(plan).unwrap().record.events_hash
    };
    let alone: Vec<String> = (0..4).map(hash).collect();
    let together: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || hash(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn a_plan_that_was_written_and_read_runs_to_the_same_end() {
    let pairing = &pairings()[0];
    let scenario = scenario(&**pairing, "read-index");
    let drawn = pairing.draw(&scenario, 5).unwrap();
    let text = plan_text(&drawn);
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(plan_text(&read), text);
    assert_eq!(pairing.run(read).unwrap().record.events_hash, pairing.run(drawn).unwrap().record.events_hash);
}

#[test]
fn taking_an_operation_away_leaves_the_faults_and_the_other_clients_as_they_were() {
    let pairing = &pairings()[0];
    let scenario = scenario(&**pairing, "log");
    let mut compared = 0;
    for seed in 0..8 {
        let plan = pairing.draw(&scenario, seed).unwrap();
        let mut shorter = plan.clone();
        shorter.clients[2].operations.truncate(3);
        // Those that wait for an event begin when it happens, and that may be another time now.
        let at: Vec<u32> =
            plan.faults.iter().filter(|f| matches!(f.begins, Moment::At { at_ms: ..1_000 })).map(|f| f.id).collect();
        let (whole, shorter) = (pairing.run(plan).unwrap(), pairing.run(shorter).unwrap());
        let begins = |judged: &JudgedRun| -> Vec<_> {
            let records = judged.record.applied_faults.iter().filter(|f| at.contains(&f.id));
            records.map(|f| (f.id, f.kind.clone(), f.began)).collect()
        };
        assert_eq!(begins(&whole), begins(&shorter), "seed {seed}");
        assert_ne!(whole.record.events_hash, shorter.record.events_hash);
        compared += at.len();
    }
    assert!(compared > 3, "{compared} faults were compared");
}
