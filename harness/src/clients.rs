//! The clients of a run: they invoke what the plan says, one operation at a time each, and record what they are told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use shakedown_checkers::Value;
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, Process};
use shakedown_systems::door::{Client, Command, System};
use shakedown_workloads::{Invoke, Look, Outcome, Workload};

use crate::simulation::ground::Host;
use crate::simulation::stage;

/// How far a run has come. Clients go from one phase to the next when the runner says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// One client prepares what the others need.
    Setup,
    /// Clients invoke their operations, faults come and go.
    Strain,
    /// Faults are over: each client writes until it succeeds.
    Recovery,
    /// The cluster is left alone.
    Quiet,
    /// Each client looks at every object for the last time.
    LastLook,
}

/// What the clients of a run share with its runner.
pub struct Shared {
    /// The phase, as the runner sets it.
    pub phase: Cell<Phase>,
    /// How many clients have done all that the phase asks of them.
    pub done: Cell<usize>,
    /// How often all clients were told to begin new sessions.
    pub churns: Cell<u32>,
    /// What an operator is to ask for, each with the fault that wants it.
    pub commands: RefCell<VecDeque<(u32, Command)>>,
    /// What became of what was asked for: of which fault, and whether it was done.
    pub operated: RefCell<Vec<(u32, bool)>>,
    /// What happened so far.
    pub history: RefCell<HistoryBuilder>,
    clients: u32,
    host: Host,
    stop_ms: u64,
}

impl Shared {
    /// For so many clients on this host, which invoke nothing new after this time.
    pub fn new(clients: u32, host: Host, stop_ms: u64) -> Shared {
        Shared {
            phase: Cell::new(Phase::Setup),
            done: Cell::new(0),
            churns: Cell::new(0),
            commands: RefCell::default(),
            operated: RefCell::default(),
            history: RefCell::new(HistoryBuilder::new()),
            clients,
            host,
            stop_ms,
        }
    }

    /// Whether an operator has something to do.
    pub fn is_operating(&self) -> bool {
        !self.commands.borrow().is_empty()
    }

    /// Begins the next phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.done.set(0);
    }

    /// Writes what the nemesis did into the history.
    pub fn note(&self, function: String, value: &str) {
        let process = Process::Named("nemesis".to_owned());
        self.push(process, EventType::Info, &function, None, Value::text(value), None);
    }

    fn push(
        &self,
        process: Process,
        event_type: EventType,
        function: &str,
        key: Option<Value>,
        value: Value,
        error: Option<Value>,
    ) -> u64 {
        let event = Event {
            index: None,
            time: Some(stage::now()),
            process,
            event_type,
            function: function.to_owned(),
            key,
            value,
            error,
        };
        let position = self.history.borrow_mut().push(event).expect("a client does one thing at a time");
        u64::from(position)
    }
}

/// What one client is to do.
pub struct Task<W: Workload> {
    /// Its number, from 0.
    pub number: u32,
    /// Operations, each with how long the client rests before it, in milliseconds.
    pub operations: Vec<(u64, W::Planned)>,
    /// The nodes that are there for the last look.
    pub nodes: Arc<[String]>,
    /// The workload.
    pub workload: W,
}

/// One client, from its first operation to its last look.
pub async fn client<W: Workload, C: Invoke<W>>(shared: Rc<Shared>, task: Task<W>, begin: impl Fn() -> C) {
    let Task { number, operations, nodes, workload } = task;
    let mut client = Running { shared, process: number, client: begin(), memory: W::Memory::default() };
    let mut churns = 0;
    let setup = workload.setup();
    if !setup.is_empty() {
        for step in setup.iter().filter(|_| number == 0) {
            while client.shared.phase.get() == Phase::Setup && !client.perform(step, None).await {}
        }
        client.done_until(Phase::Strain).await;
    }
    for (after_ms, operation) in operations {
        // No longer than the phase lasts: a client that overslept would seem to get no answer.
        let left = client.shared.stop_ms.saturating_sub(stage::now() / 1_000_000);
        tokio::time::sleep(Duration::from_millis(after_ms.min(left))).await;
        if client.shared.phase.get() != Phase::Strain {
            break;
        }
        if client.shared.churns.get() > churns {
            churns = client.shared.churns.get();
            client.process += client.shared.clients;
            (client.client, client.memory) = (begin(), W::Memory::default());
        }
        client.perform(&operation, None).await;
    }
    client.done_until(Phase::Recovery).await;
    for attempt in 0.. {
        if client.shared.phase.get() != Phase::Recovery || client.perform_all(&workload.probe(number, attempt)).await {
            break;
        }
    }
    client.done_until(Phase::LastLook).await;
    for Look { operation, at } in workload.last_look(number, client.shared.clients, &nodes) {
        // A look that does not succeed is one that never was: try again a few times.
        for _ in 0..3 {
            if client.perform(&operation, at.as_deref()).await {
                break;
            }
        }
    }
    client.shared.done.set(client.shared.done.get() + 1);
}

/// The operator: asks for one thing after the other, each time over a client of its own.
pub async fn operator<S: System>(shared: Rc<Shared>, system: Rc<S>, begin: impl Fn() -> Client) {
    loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let Some((fault, command)) = shared.commands.borrow().front().cloned() else { continue };
        let (name, nodes) = (command.name, command.nodes.join(" "));
        let done = system.operate(begin(), command).await.map_err(|error| error.to_string());
        match &done {
            Ok(()) => tracing::info!(event = "operated", command = name, nodes),
            Err(error) => tracing::info!(event = "operated", command = name, nodes, error),
        }
        shared.operated.borrow_mut().push((fault, done.is_ok()));
        shared.commands.borrow_mut().pop_front();
    }
}

struct Running<W: Workload, C> {
    shared: Rc<Shared>,
    /// Its number in the history. After `info` it is never used again.
    process: u32,
    client: C,
    memory: W::Memory,
}

impl<W: Workload, C: Invoke<W>> Running<W, C> {
    /// Does an operation; tells whether it is known to have happened.
    async fn perform(&mut self, planned: &W::Planned, at: Option<&str>) -> bool {
        let operation = W::resolve(planned, &self.memory);
        let invocation = W::invocation(&operation);
        let (function, key) = (invocation.function, invocation.key);
        let process = || Process::Client(self.process);
        let shared = &self.shared;
        let index = shared.push(process(), EventType::Invoke, function, key.clone(), invocation.value.clone(), None);
        let client = &mut self.client;
        let asked = async {
            match at {
                Some(node) => client.invoke_at(node, &operation).await,
                None => client.invoke(&operation).await,
            }
        };
        let outcome = stage::for_operation(shared.host, index, asked).await;
        W::remember(&mut self.memory, &operation, &outcome);
        let (event_type, value, error) = match &outcome {
            Outcome::Ok(value) => (EventType::Ok, W::completion(&operation, value), None),
            Outcome::Fail(why) => (EventType::Fail, invocation.value, Some(Value::text(why))),
            Outcome::Info(why) => (EventType::Info, invocation.value, Some(Value::text(why))),
        };
        shared.push(process(), event_type, function, key, value, error);
        if event_type == EventType::Info {
            self.process += shared.clients;
        }
        event_type == EventType::Ok
    }

    /// Does operations in order, as long as they succeed; tells whether all did.
    async fn perform_all(&mut self, planned: &[W::Planned]) -> bool {
        for planned in planned {
            if !self.perform(planned, None).await {
                return false;
            }
        }
        true
    }

    /// Tells that all is done, and waits for a phase.
    async fn done_until(&self, phase: Phase) {
        self.shared.done.set(self.shared.done.get() + 1);
        while self.shared.phase.get() < phase {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
