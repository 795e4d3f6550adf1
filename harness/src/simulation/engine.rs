//! What steps the hosts: turmoil, behind a trait of ours, so that its successors can take its place.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use shakedown_systems::door::{Backend, Local, Socket};
use turmoil::{Builder, Protocol, Sim};

use crate::nemesis::{Host, Nemesis};

use super::fabric::{Carriage, Due, Fabric};
use super::mailboxes::Mailboxes;
use super::stage;

/// A simulated world of hosts.
pub trait Engine {
    /// Lets a millisecond pass on every host.
    ///
    /// # Errors
    /// If the simulation itself fails.
    fn step(&mut self) -> Result<(), String>;

    /// Takes what was sent since the last call to the fabric, and hands over what is due.
    fn carry(&mut self, fabric: &mut Fabric, nemesis: &mut Nemesis, step: u64);

    /// A process dies.
    fn stop(&mut self, host: Host);

    /// A process begins.
    fn start(&mut self, host: Host);
}

/// A process, which is begun anew after each crash.
pub type Process = Box<dyn Fn() -> Local<'static, ()>>;

/// turmoil, with every link held.
pub struct Turmoil {
    sim: Sim<'static>,
    names: Vec<Arc<str>>,
    addresses: Vec<IpAddr>,
    /// By link, in turmoil's order: its two hosts, and when its messages are due, in the order in which they lie there.
    links: Vec<(Host, Host, VecDeque<Due>)>,
}

impl Turmoil {
    /// A world of these hosts, which begin in this order.
    pub fn new(seed: u64, hosts: Vec<(Arc<str>, Process)>) -> Turmoil {
        let mut sim = Builder::new()
            .tick_duration(Duration::from_millis(1))
            .simulation_duration(Duration::MAX)
            .epoch(std::time::UNIX_EPOCH)
            .rng_seed(seed)
            .udp_capacity(4096)
            .build();
        let names: Vec<Arc<str>> = hosts.iter().map(|(name, _)| Arc::clone(name)).collect();
        for (name, process) in hosts {
            sim.host(&*name, move || {
                let process = process();
                async move {
                    process.await;
                    Ok(())
                }
            });
        }
        for (at, one) in names.iter().enumerate() {
            for other in &names[at + 1..] {
                sim.hold(&**one, &**other);
            }
        }
        let addresses: Vec<IpAddr> = names.iter().map(|name| sim.lookup(&**name)).collect();
        let mut links = Vec::new();
        let host = |address: IpAddr| addresses.iter().position(|known| *known == address).unwrap_or(0);
        sim.links(|all| {
            for link in all {
                let (one, other) = link.pair();
                links.push((host(one), host(other), VecDeque::new()));
            }
        });
        Turmoil { sim, names, addresses, links }
    }
}

impl Engine for Turmoil {
    fn step(&mut self) -> Result<(), String> {
        self.sim.step().map(|_| ()).map_err(|error| error.to_string())
    }

    fn carry(&mut self, fabric: &mut Fabric, nemesis: &mut Nemesis, step: u64) {
        let (links, addresses) = (&mut self.links, &self.addresses);
        let mut spent = Vec::new();
        self.sim.links(|all| {
            for (link, (one, other, dues)) in all.zip(links.iter_mut()) {
                let mut at = 0;
                let mut handed_over = false;
                for message in link {
                    let from_one = message.pair().0.ip() == addresses[*one];
                    let (from, to) = if from_one { (*one, *other) } else { (*other, *one) };
                    if at == dues.len() {
                        let carriage = match message.protocol() {
                            Protocol::Tcp(_) => Carriage::Stream,
                            Protocol::Udp(_) => Carriage::Datagram,
                        };
                        dues.push_back(fabric.take(nemesis, from, to, carriage, step));
                    } else if dues[at] == Due::Held {
                        dues[at] = fabric.ask_again(nemesis, from, to, step);
                    }
                    match dues[at] {
                        // What is handed over now arrives in the next step.
                        Due::At(due) if due <= step + 1 => {
                            fabric.deliver(nemesis, to);
                            message.deliver();
                            handed_over = true;
                            // turmoil takes it off the link before it adds another.
                            dues.remove(at);
                        }
                        _ => at += 1,
                    }
                }
                // What was handed over just now still lies on the link, and would go with the others.
                if !handed_over && !dues.is_empty() && dues.iter().all(|due| *due == Due::Never) {
                    spent.push((*one, *other));
                    dues.clear();
                }
            }
        });
        // Dead messages would slow down every send.
        for (one, other) in spent {
            self.clear(one, other);
        }
    }

    fn stop(&mut self, host: Host) {
        self.sim.crash(&*self.names[host]);
    }

    fn start(&mut self, host: Host) {
        self.sim.bounce(&*self.names[host]);
    }
}

impl Turmoil {
    /// Takes all messages off a link: a partition drops them, a hold after it holds what comes.
    fn clear(&mut self, one: Host, other: Host) {
        let (one, other) = (&*self.names[one], &*self.names[other]);
        self.sim.partition(one, other);
        self.sim.hold(one, other);
    }
}

/// The time since the simulation began.
pub fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

/// What stands behind the context of a node or client.
pub struct HostBackend {
    host: Host,
    mailboxes: Arc<Mailboxes>,
}

impl HostBackend {
    /// The backend of a host.
    pub fn new(host: Host, mailboxes: Arc<Mailboxes>) -> HostBackend {
        HostBackend { host, mailboxes }
    }
}

impl Backend for HostBackend {
    fn bind(&self, port: u16) -> io::Result<Socket> {
        self.mailboxes.bind(self.host, port)
    }

    fn spawn(&self, task: Local<'static, ()>) {
        tokio::task::spawn_local(stage::on_stage(self.host, task));
    }
}

/// A process of a node, on its stage: when it ends by itself, that is put down.
pub fn process<F, E>(host: Host, future: F) -> Local<'static, ()>
where
    F: Future<Output = Result<(), E>> + 'static,
    E: std::fmt::Display,
{
    Box::pin(stage::on_stage(host, async move {
        let how = match future.await {
            Ok(()) => "its process ended".to_owned(),
            Err(error) => error.to_string(),
        };
        stage::died(host, "failure", how);
        std::future::pending::<()>().await;
    }))
}
