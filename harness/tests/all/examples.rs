//! The examples: each finds its bug, and finds none where it is mended.

#[allow(dead_code, reason = "its main is for cargo run")]
#[path = "../../examples/axum_store.rs"]
pub mod axum_store;
#[allow(dead_code, reason = "its main is for cargo run")]
#[path = "../../examples/openraft_store/main.rs"]
pub mod openraft_store;
#[allow(dead_code, reason = "its main is for cargo run")]
#[path = "../../examples/tcp_store.rs"]
pub mod tcp_store;

use axum_store::AxumStore;
use openraft_store::OpenraftStore;
use shakedown::prelude::*;
use tcp_store::TcpStore;

#[test]
fn a_store_that_answers_before_it_syncs_loses_writes_when_the_power_fails() {
    let out = tempfile::tempdir().expect("there is room");
    let store = |syncs| test(TcpStore { syncs }).nodes(1).workload(Kv::default()).claim(Linearizable);
    let failure = store(false).out(out.path()).check().expect_err("it answers too early");
    assert!(failure.to_string().contains("linearizable is broken"), "{failure}");
    let summary = store(true).seeds(0..20).verify_determinism().check().expect("it holds");
    assert!(summary.runs.iter().map(|run| run.operations.ok).sum::<usize>() > 5_000, "{summary}");
}

#[test]
fn a_handler_that_looks_and_waits_and_writes_loses_updates() {
    let out = tempfile::tempdir().expect("there is room");
    let store = |holds_lock| {
        test(AxumStore { holds_lock }).nodes(1).faults(&["delay", "loss"]).workload(Kv::default()).claim(Linearizable)
    };
    let failure = store(false).out(out.path()).check().expect_err("it does not hold the lock");
    assert!(failure.to_string().contains("linearizable is broken"), "{failure}");
    let summary = store(true).seeds(0..10).verify_determinism().check().expect("it holds");
    assert!(summary.runs.iter().map(|run| run.operations.ok).sum::<usize>() > 2_000, "{summary}");
}

#[test]
fn a_raft_whose_log_is_in_memory_holds_as_long_as_no_process_dies() {
    let out = tempfile::tempdir().expect("there is room");
    let store = test(OpenraftStore).workload(Kv::default()).claim(Linearizable).out(out.path());
    let failure = store.clone().faults(&["crash", "kill"]).check().expect_err("it forgets its vote and its log");
    assert!(failure.to_string().contains("linearizable is broken"), "{failure}");
    let network = store.faults(&["partition", "one-way", "loss", "delay"]).seeds(0..8).verify_determinism();
    let summary = network.check().expect("it holds");
    assert!(summary.runs.iter().map(|run| run.operations.ok).sum::<usize>() > 1_000, "{summary}");
}
