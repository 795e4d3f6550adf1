//! Who is on stage: whose code runs just now, what it says through `tracing`, and what becomes of its panics.
//!
//! A run happens on one thread. While a future of a node is polled, that node is on stage; an event that is emitted then is the
//! node's. Tasks that a node spawned by itself are known by the span in which the simulation steps its host. The recorder is the
//! thread's.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll, Waker};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest};
use tracing::{Event, Level, Metadata, Subscriber};

use super::ground::{Exit, Host, NOBODY, ProcessExit};

/// Something that a node or a client said.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceEvent {
    /// Simulated nanoseconds.
    pub time: u64,
    /// Who.
    pub host: Host,
    /// The value of its field `event`; `log` for an event without.
    pub event: &'static str,
    /// What else it said.
    pub fields: Vec<(&'static str, FieldValue)>,
}

/// A field of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// A whole number.
    Number(u64),
    /// A number below zero.
    Negative(i64),
    /// A truth value.
    Truth(bool),
    /// Anything else.
    Text(String),
}

impl TraceEvent {
    /// An order for what has none of its own.
    fn order(&self) -> (&'static str, String) {
        (self.event, format!("{:?}", self.fields))
    }

    /// A field with a whole number.
    pub fn number(&self, field: &str) -> Option<u64> {
        self.fields.iter().find_map(|(name, datum)| match datum {
            FieldValue::Number(number) if *name == field => Some(*number),
            _ => None,
        })
    }

    /// A field with text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.iter().find_map(|(name, datum)| match datum {
            FieldValue::Text(text) if *name == field => Some(text.as_str()),
            _ => None,
        })
    }
}

#[derive(Default)]
struct Recorder {
    time: u64,
    said: Vec<TraceEvent>,
    exits: Vec<ProcessExit>,
    /// How much had been said when a task panicked that nobody catches.
    panicked_at: Option<usize>,
    /// All hosts, in order.
    hosts: Vec<Arc<str>>,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
    static ON_STAGE: Cell<(Host, Option<u64>)> = const { Cell::new((NOBODY, None)) };
    /// The host that is being stepped.
    static STEPPED: Cell<Host> = const { Cell::new(NOBODY) };
    /// The hosts that stand still, and who is to be woken when each goes on.
    static STILL: RefCell<BTreeMap<Host, Vec<Waker>>> = const { RefCell::new(BTreeMap::new()) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static LISTENER: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
}

/// A thread's recording of one run. It ends when this is dropped.
pub struct Recording(());

impl Recording {
    /// Begins to record what is said on this thread, by these hosts.
    ///
    /// # Panics
    /// If this thread is recording already.
    pub fn begin(hosts: Vec<Arc<str>>) -> Recording {
        catch_panics();
        warn_if_tokio_is_not_seeded();
        LISTENER.with_borrow_mut(|listener| {
            listener.get_or_insert_with(|| tracing::subscriber::set_default(Listener));
        });
        RECORDER.with_borrow_mut(|recorder| {
            assert!(recorder.is_none(), "one run at a time on a thread");
            *recorder = Some(Recorder { hosts, ..Recorder::default() });
        });
        Recording(())
    }

    /// Sets the time for what is said from now on, in simulated nanoseconds.
    pub fn set_time(&self, time: u64) {
        record(|recorder| recorder.time = time);
    }

    /// What was said since the last call.
    pub fn take_said(&self) -> Vec<TraceEvent> {
        record(|recorder| std::mem::take(&mut recorder.said)).unwrap_or_default()
    }

    /// Which processes ended by themselves since the last call.
    pub fn take_exits(&self) -> Vec<ProcessExit> {
        record(|recorder| std::mem::take(&mut recorder.exits)).unwrap_or_default()
    }

    /// What the tasks of a process said that panicked and dropped them has no order of its own: it gets one.
    pub fn sort_since_panic(&self) {
        record(|recorder| {
            let from = recorder.panicked_at.take().unwrap_or(recorder.said.len()).min(recorder.said.len());
            recorder.said[from..].sort_by_cached_key(TraceEvent::order);
        });
    }

    /// Whether a process ended by itself since they were taken.
    pub fn has_exits(&self) -> bool {
        record(|recorder| !recorder.exits.is_empty()).unwrap_or(false)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        STILL.take();
        RECORDER.set(None);
    }
}

fn record<R>(act: impl FnOnce(&mut Recorder) -> R) -> Option<R> {
    RECORDER.with_borrow_mut(|recorder| recorder.as_mut().map(act))
}

/// The time of the run on this thread, in simulated nanoseconds.
pub fn now() -> u64 {
    record(|recorder| recorder.time).unwrap_or(0)
}

/// Lets nothing of a host run, or lets it go on: whoever was woken meanwhile runs then.
pub fn pause(host: Host, still: bool) {
    if still {
        STILL.with_borrow_mut(|hosts| hosts.entry(host).or_default().clear());
    } else {
        let wakers = STILL.with_borrow_mut(|hosts| hosts.remove(&host));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Puts down a process that ended by itself.
pub fn exited(exit: ProcessExit) {
    record(|recorder| recorder.exits.push(exit));
}

/// Drops what belongs to a host, on its stage. What its tasks say then has no order of its own: it gets one.
pub fn drop_on_stage<R>(host: Host, act: impl FnOnce() -> R) -> R {
    let already = record(|recorder| recorder.said.len()).unwrap_or(0);
    let before = ON_STAGE.replace((host, None));
    let done = act();
    ON_STAGE.set(before);
    record(|recorder| {
        recorder.said[already..].sort_by_cached_key(TraceEvent::order);
    });
    done
}

/// Runs a future with a host on stage. A panic in it is put down, and the future never ends.
pub fn on_stage<F: Future>(host: Host, future: F) -> OnStage<F> {
    OnStage { host, operation: None, dead: false, future: Box::pin(future) }
}

/// The same, on behalf of an operation: what is said then carries its index.
pub fn for_operation<F: Future>(host: Host, operation: u64, future: F) -> OnStage<F> {
    OnStage { host, operation: Some(operation), dead: false, future: Box::pin(future) }
}

/// A future with its host on stage.
pub struct OnStage<F> {
    host: Host,
    operation: Option<u64>,
    dead: bool,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for OnStage<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.dead || stands_still(self.host, context) {
            return Poll::Pending;
        }
        let before = ON_STAGE.replace((self.host, self.operation));
        let polled = panic::catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(context)));
        ON_STAGE.set(before);
        polled.unwrap_or_else(|panicked| {
            self.dead = true;
            let message = message_of(panicked.as_ref());
            exited(ProcessExit { time: now(), host: self.host, how: Exit::Panic, message });
            Poll::Pending
        })
    }
}

/// Whether a host stands still; then the future is woken when it goes on.
fn stands_still(host: Host, context: &Context<'_>) -> bool {
    STILL.with_borrow_mut(|hosts| match hosts.get_mut(&host) {
        Some(wakers) => {
            wakers.push(context.waker().clone());
            true
        }
        None => false,
    })
}

/// What a caught panic said, and where.
pub fn message_of(panicked: &(dyn Any + Send)) -> String {
    PANIC.take().unwrap_or_else(|| match panicked.downcast_ref::<&str>() {
        Some(message) => (*message).to_owned(),
        None => panicked.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without a message".to_owned()),
    })
}

/// On a thread that records a run, a panic is a finding: it is kept, not printed. Elsewhere all stays as it was.
fn catch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            if RECORDER.with(|recorder| recorder.try_borrow().is_ok_and(|recorder| recorder.is_none())) {
                return before(panicked);
            }
            let place = panicked.location().map(|place| format!(" ({}:{})", file_name(place.file()), place.line()));
            let message = panicked.payload_as_str().unwrap_or("a panic without a message");
            let message = format!("{message}{}", place.unwrap_or_default());
            // In a task that a node spawned by itself nobody catches it but tokio, which then ends the whole process.
            if ON_STAGE.get().0 == NOBODY && STEPPED.get() != NOBODY {
                let host = STEPPED.get();
                let exit = ProcessExit { time: now(), host, how: Exit::Panic, message: message.clone() };
                record(|recorder| {
                    if recorder.exits.iter().all(|known| known.host != host) {
                        recorder.exits.push(exit);
                        recorder.panicked_at = Some(recorder.said.len());
                    }
                });
            }
            PANIC.set(Some(message));
        }));
    });
}

/// Without the flag, `select!` without `biased` draws from the operating system, and a panic of a spawned task is swallowed.
fn warn_if_tokio_is_not_seeded() {
    static ONCE: Once = Once::new();
    if !cfg!(tokio_unstable) {
        ONCE.call_once(|| {
            eprintln!(
                "warning: this build lacks --cfg tokio_unstable; runs of systems that rely on tokio's own random choices \
                 may not repeat. Put this into .cargo/config.toml: [build] rustflags = [\"--cfg\", \"tokio_unstable\"]"
            );
        });
    }
}

/// The end of a path: what stands before it differs from machine to machine.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Hears every event that has a field `event`, of level `INFO` and above; of others, which a library may emit by the thousand, warnings
/// and errors; and the spans in which turmoil steps its hosts.
struct Listener;

/// A span of a host is the host and this.
const FIRST_SPAN: u64 = 2;
/// Any other span.
const OTHER_SPAN: u64 = 1;

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    /// Asked while another thread registers the callsite: it must answer as the registration will, or a run's first events
    /// would depend on what other threads do.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match metadata.target().starts_with("turmoil") {
            true => metadata.is_span() && metadata.name() == "node",
            false if metadata.fields().field("event").is_some() => *metadata.level() <= Level::INFO,
            false => metadata.is_event() && *metadata.level() <= Level::WARN,
        }
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        let (host, operation) = match ON_STAGE.get() {
            (NOBODY, operation) => (STEPPED.get(), operation),
            on_stage => on_stage,
        };
        record(|recorder| {
            let mut fields = Fields { event: "log", fields: Vec::with_capacity(4) };
            event.record(&mut fields);
            if let Some(operation) = operation {
                fields.fields.push(("operation", FieldValue::Number(operation)));
            }
            recorder.said.push(TraceEvent { time: recorder.time, host, event: fields.event, fields: fields.fields });
        });
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut name = HostOfSpan(NOBODY);
        attributes.record(&mut name);
        Id::from_u64(if name.0 == NOBODY { OTHER_SPAN } else { name.0 as u64 + FIRST_SPAN })
    }

    fn enter(&self, span: &Id) {
        if let Some(host) = span.into_u64().checked_sub(FIRST_SPAN) {
            STEPPED.set(host as Host);
        }
    }

    fn exit(&self, _: &Id) {
        STEPPED.set(NOBODY);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

/// The host whose name a span bears.
struct HostOfSpan(Host);

impl Visit for HostOfSpan {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            let host = record(|recorder| recorder.hosts.iter().position(|host| **host == *value)).flatten();
            self.0 = host.unwrap_or(NOBODY);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

struct Fields {
    event: &'static str,
    fields: Vec<(&'static str, FieldValue)>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), FieldValue::Number(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        let datum = u64::try_from(value).map_or(FieldValue::Negative(value), FieldValue::Number);
        self.fields.push((field.name(), datum));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), FieldValue::Truth(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "event" {
            self.event = name(value);
        } else {
            self.fields.push((field.name(), FieldValue::Text(value.to_owned())));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.fields.push((field.name(), FieldValue::Text(without_instants(text))));
    }
}

/// A time of the machine, as `Debug` writes it, differs from run to run and tells nobody anything.
fn without_instants(text: String) -> String {
    const BEGIN: &str = "Instant { tv_sec: ";
    if !text.contains(BEGIN) {
        return text;
    }
    let mut parts = text.split(BEGIN);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("Instant {");
        out.push_str(part.find('}').map_or("", |end| &part[end..]));
    }
    out
}

/// The names of events are few: each is kept once.
fn name(event: &str) -> &'static str {
    thread_local! {
        static NAMES: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    NAMES.with_borrow_mut(|names| match names.iter().find(|known| **known == event) {
        Some(known) => known,
        None => {
            let known: &'static str = Box::leak(event.into());
            names.push(known);
            known
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_machine_are_left_out() {
        let text = "a Instant { tv_sec: 7097, tv_nsec: 75 }, b Instant { tv_sec: 1, tv_nsec: 2 } c".to_owned();
        assert_eq!(without_instants(text), "a Instant {}, b Instant {} c");
        assert_eq!(without_instants("nothing".to_owned()), "nothing");
    }
}
