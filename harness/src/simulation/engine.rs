//! What steps the hosts: turmoil, behind a trait of ours, so that its successors can take its place.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use shakedown_systems::door::{Backend, Local, Socket};
use turmoil::{Builder, Protocol, Segment, SentRef, Sim};

use super::fabric::{Carriage, Due, Fabric};
use super::ground::{Exit, Host, LinkRules, ProcessExit};
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
    fn carry(&mut self, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64);

    /// A process dies. The ends of its streams are its last words: the fabric takes them now, in an order that does not depend on the order
    /// in which its tasks were dropped.
    fn stop(&mut self, host: Host, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64);

    /// A process took its step with it, and dropped its tasks there: what lies on the links since is taken as at [`Engine::stop`].
    fn broke_off(&mut self, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64);

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
    /// In turmoil's order.
    links: Vec<Link>,
    /// How many messages were taken.
    taken: u64,
}

/// The messages that lie on a link, in the order in which they lie there.
struct Link {
    one: Host,
    other: Host,
    messages: VecDeque<Carried>,
}

/// A message that the fabric took.
#[derive(Clone, Copy)]
struct Carried {
    from: Host,
    to: Host,
    carriage: Carriage,
    due: Due,
    /// Which it was, of all.
    number: u64,
}

impl Turmoil {
    /// A world of these hosts, which begin in this order.
    pub fn new(seed: u64, hosts: Vec<(Arc<str>, Process)>) -> Turmoil {
        let mut sim = Builder::new()
            .tick_duration(Duration::from_millis(1))
            .simulation_duration(Duration::MAX)
            .epoch(std::time::UNIX_EPOCH)
            .rng_seed(seed)
            // When a long cut ends, all that was held comes at once; where turmoil has no room, it panics.
            .tcp_capacity(1 << 16)
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
                links.push(Link { one: host(one), other: host(other), messages: VecDeque::new() });
            }
        });
        Turmoil { sim, names, addresses, links, taken: 0 }
    }
}

impl Engine for Turmoil {
    fn step(&mut self) -> Result<(), String> {
        self.sim.step().map(|_| ()).map_err(|error| error.to_string())
    }

    fn carry(&mut self, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64) {
        self.ask_again(fabric, rules, step);
        let Turmoil { sim, links, addresses, taken, .. } = self;
        let mut spent = Vec::new();
        sim.links(|all| {
            for (link, Link { one, other, messages }) in all.zip(links.iter_mut()) {
                let mut at = 0;
                let mut handed_over = false;
                for message in link {
                    if at == messages.len() {
                        let from_one = message.pair().0.ip() == addresses[*one];
                        let (from, to) = if from_one { (*one, *other) } else { (*other, *one) };
                        let carriage = match message.protocol() {
                            Protocol::Tcp(_) => Carriage::Stream,
                            Protocol::Udp(_) => Carriage::Datagram,
                        };
                        let due = fabric.take(rules, from, to, carriage, step);
                        messages.push_back(Carried { from, to, carriage, due, number: *taken });
                        *taken += 1;
                    }
                    match messages[at].due {
                        // What is handed over now arrives in the next step.
                        Due::At(due) if due <= step + 1 => {
                            fabric.deliver(rules, messages[at].to);
                            message.deliver();
                            handed_over = true;
                            // turmoil takes it off the link before it adds another.
                            messages.remove(at);
                        }
                        _ => at += 1,
                    }
                }
                // What was handed over just now still lies on the link, and would go with the others.
                if !handed_over && !messages.is_empty() && messages.iter().all(|message| message.due == Due::Never) {
                    spent.push((*one, *other));
                    messages.clear();
                }
            }
        });
        // Dead messages would slow down every send.
        for (one, other) in spent {
            self.clear(one, other);
        }
    }

    fn stop(&mut self, host: Host, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64) {
        let name = Arc::clone(&self.names[host]);
        let before = self.on_links();
        stage::drop_on_stage(host, || self.sim.crash(&*name));
        let after = self.on_links();
        let spoke: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
        self.take_last_words(&spoke, fabric, rules, step);
    }

    fn broke_off(&mut self, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64) {
        self.take_last_words(&vec![true; self.links.len()], fabric, rules, step);
    }

    fn start(&mut self, host: Host) {
        self.sim.bounce(&*self.names[host]);
    }
}

impl Turmoil {
    /// What lies on each link, as far as it tells messages apart.
    fn on_links(&self) -> Vec<Vec<(SocketAddr, SocketAddr, String)>> {
        let mut messages = Vec::new();
        self.sim.links(|all| {
            for link in all {
                let told = |message: SentRef<'_>| {
                    let (from, to) = message.pair();
                    // Whether a SYN is still waited for changes when its process dies.
                    let what = match message.protocol() {
                        Protocol::Tcp(Segment::Syn(_)) => "SYN".to_owned(),
                        other => format!("{other:?}"),
                    };
                    (from, to, what)
                };
                messages.push(link.map(told).collect());
            }
        });
        messages
    }

    /// Asks again for what is held, in the order in which it was taken.
    fn ask_again(&mut self, fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64) {
        let held = self.links.iter_mut().flat_map(|link| &mut link.messages).filter(|message| message.due == Due::Held);
        let mut held: Vec<&mut Carried> = held.collect();
        held.sort_by_key(|message| message.number);
        for message in held {
            message.due = fabric.ask_again(rules, message.from, message.to, message.carriage, step);
        }
    }

    /// tokio drops the tasks of a process in an order that depends on how many tasks the whole program has spawned before, and a stream
    /// that is dropped says so: with FIN, with RST where something was not read, or with both, as its halves go. All of that is taken
    /// by address, and of a stream that says both only the RST counts.
    ///
    /// `spoke` says of which links anything was said: on the others, what was handed over in this step still lies, and is no last word.
    fn take_last_words(&mut self, spoke: &[bool], fabric: &mut Fabric, rules: &mut impl LinkRules, step: u64) {
        /// In which order what one stream says is taken.
        const SAID: u8 = 0;
        const RESET: u8 = 1;
        const FINISHED: u8 = 2;
        struct VerdictWord {
            link: usize,
            at: usize,
            ends: (SocketAddr, SocketAddr),
            carriage: Carriage,
            rank: u8,
        }
        let Turmoil { sim, links, addresses, taken, .. } = self;
        let mut words: Vec<VerdictWord> = Vec::new();
        sim.links(|all| {
            for (number, (link, known)) in all.zip(links.iter()).enumerate().filter(|(number, _)| spoke[*number]) {
                for (at, message) in link.enumerate().skip(known.messages.len()) {
                    let (carriage, rank) = match message.protocol() {
                        Protocol::Tcp(Segment::Syn(_) | Segment::Data(..)) => (Carriage::Stream, SAID),
                        Protocol::Tcp(Segment::Rst) => (Carriage::LastWord, RESET),
                        Protocol::Tcp(Segment::Fin(_)) => (Carriage::LastWord, FINISHED),
                        Protocol::Udp(_) => (Carriage::Datagram, SAID),
                    };
                    words.push(VerdictWord { link: number, at, ends: message.pair(), carriage, rank });
                }
            }
        });
        words.sort_by_key(|word| (word.ends, word.rank, word.at));
        let mut before: Option<(SocketAddr, SocketAddr)> = None;
        for VerdictWord { link, at, ends, carriage, rank } in words {
            let Link { one, other, messages } = &mut links[link];
            let (from, to) = if ends.0.ip() == addresses[*one] { (*one, *other) } else { (*other, *one) };
            let due = match carriage {
                Carriage::LastWord if rank == FINISHED && before == Some(ends) => Due::Never,
                _ => fabric.take(rules, from, to, carriage, step),
            };
            before = (rank == RESET).then_some(ends);
            if messages.len() <= at {
                messages.resize(at + 1, Carried { from, to, carriage, due: Due::Never, number: 0 });
            }
            messages[at] = Carried { from, to, carriage, due, number: *taken };
            *taken += 1;
        }
    }

    /// Takes all messages off a link: a partition drops them, a hold after it holds what comes.
    fn clear(&mut self, one: Host, other: Host) {
        let (one, other) = (&*self.names[one], &*self.names[other]);
        self.sim.partition(one, other);
        self.sim.hold(one, other);
    }
}

/// The time since the simulation began. Between two steps, when nobody runs, that of the step: then clocks are set.
pub fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_else(|| Duration::from_nanos(stage::now()))
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
        stage::exited(ProcessExit { time: stage::now(), host, how: Exit::Failure, message: how });
        std::future::pending::<()>().await;
    }))
}
