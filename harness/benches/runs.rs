//! What a run costs, against turmoil by itself with as many hosts, steps and messages.

use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use shakedown::catalogue::pairings;
use shakedown::runner;
use shakedown::scenario::Scenario;
use shakedown::{Family, Kv};
use shakedown_systems::RaftKv;
use shakedown_systems::raft_kv::{Reads, Settings};

/// Ten seeds in turn, so that no single schedule decides.
const SEEDS: u64 = 10;

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("raft-kv, 5 nodes, 2400 operations, 6 simulated seconds");
    group.sample_size(10).measurement_time(Duration::from_secs(12));
    let scenario = Scenario::new("raft-kv", "log");
    let pairings = pairings();
    let kv = pairings.iter().find(|pairing| pairing.workload() == "kv").expect("it is listed");
    let mut seed = 0;
    group.bench_function("plan, run and check", |bencher| {
        bencher.iter(|| {
            seed = (seed + 1) % SEEDS;
            kv.run(kv.draw(&scenario, seed).expect("it makes sense")).expect("it makes sense")
        });
    });
    let workload = Kv::default();
    let plans: Vec<_> = (0..SEEDS).map(|seed| scenario.plan(&workload, seed, kv.system())).collect();
    let run = |seed: u64| {
        runner::run(&plans[seed as usize], &workload, RaftKv::new(Settings::reading(Reads::Log), None))
            .expect("it makes sense")
    };
    let (mut steps, mut messages) = (0, 0);
    for seed in 0..SEEDS {
        let execution = run(seed);
        steps += execution.phases.ended / 1_000_000 / SEEDS;
        messages += execution.messages.sent / SEEDS;
    }
    group.bench_function("run alone", |bencher| {
        bencher.iter(|| {
            seed = (seed + 1) % SEEDS;
            run(seed)
        });
    });
    group.bench_function("bare turmoil, as many hosts and steps, idle", |bencher| {
        bencher.iter(|| bare(6, steps, 0));
    });
    group.bench_function("bare turmoil, as many hosts, steps and messages", |bencher| {
        bencher.iter(|| bare(6, steps, messages));
    });
    group.finish();
}

/// Hosts that send datagrams of 60 bytes to each other in turn, so many in all, and take what comes.
fn bare(hosts: u64, steps: u64, messages: u64) {
    let mut sim = turmoil::Builder::new()
        .tick_duration(Duration::from_millis(1))
        .simulation_duration(Duration::MAX)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(3))
        .rng_seed(1)
        .udp_capacity(4096)
        .build();
    for host in 0..hosts {
        sim.host(format!("h{host}"), move || async move {
            let socket = turmoil::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 7000)).await?;
            if messages == 0 {
                std::future::pending::<()>().await;
            }
            let period = Duration::from_micros(steps * hosts * 1000 / messages.max(1));
            let mut buffer = [0; 64];
            let mut next = tokio::time::Instant::now();
            let mut to = host;
            loop {
                tokio::select! {
                    biased;
                    _ = socket.recv_from(&mut buffer) => {}
                    () = tokio::time::sleep_until(next) => {
                        next += period;
                        to = (to + 1) % hosts;
                        if to != host {
                            let address = turmoil::lookup(format!("h{to}"));
                            socket.send_to(&[0; 60], (address, 7000)).await?;
                        }
                    }
                }
            }
        });
    }
    for _ in 0..steps {
        sim.step().expect("the hosts never fail");
    }
}

criterion_group!(benches, runs);
criterion_main!(benches);
