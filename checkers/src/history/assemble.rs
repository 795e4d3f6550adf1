//! How the events of a text become a history: each in its turn, and the rules that only the whole text can tell.
//!
//! # Completions alone
//! Some tests of transactions record what happened and nothing else: every event is a completion. If no client event of
//! a text is an invocation, and all of them are `txn`, then each completion is an operation of its own, whose argument
//! and result are its value. Its process did them in the order of the file, and nothing says which of two processes was
//! first: [`History::has_real_time`] is false. In any other history, a completion without its invocation is refused.
//!
//! # Events without a process
//! Where no client event of a text says its process, one process did everything: it must complete each operation before
//! it invokes the next. Completions alone are then of a process each. A text in which some events say it and others do
//! not is refused.
//!
//! # Order
//! That of the lines, unless all events have an index that says another: see [`reorder`](super::reorder).

use rustc_hash::{FxHashMap, FxHashSet};

use super::batch::{Batch, BatchedEvent, BatchedValue, Lists, Name, Names, Who};
use super::build::{BrokenRule, ClientEvent};
use super::chosen;
use super::independent::IndependentKeys;
use super::packed::{Item, List};
use super::reorder::{Fallen, Order, Said, Waiting};
use super::{EventType, History, HistoryBuilder, NemesisEvent, Outcome, Place, Value, ValueId};

/// A history in the making, from the events of a text.
pub(super) struct Assembly {
    history: HistoryBuilder,
    /// For the formats in which pairs may hold keys.
    keys: Option<IndependentKeys>,
    /// The sessions and numbers of the transactions so far, for the format in which they have such.
    transactions: Option<FxHashSet<(u32, u64)>>,
    /// Whether a client has invoked anything.
    invoked: bool,
    /// The first completion without an invocation before it, which is an error unless there are only such.
    completed_alone: Option<(Place, String)>,
    /// Whether client events say their process; the first one decides.
    process_said: Option<bool>,
    /// Clients that have names instead of numbers, by the number that each has here; nothing until the first client says which.
    named: Option<FxHashMap<String, u32>>,
    /// Whether a client had a number.
    numbered: bool,
    /// The functions of the batch at hand, interned.
    functions: Vec<Option<ValueId>>,
    order: Order,
}

/// The one process with a name that is not a client.
const NEMESIS: &str = "nemesis";

const NO_PROCESS: &str = "found no process: expected an event with process, type and f (only a history of one process, \
     which completes each operation before it invokes the next, may leave it out)";

/// What only some formats have.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Peculiarity {
    /// Nothing.
    None,
    /// Pairs may hold keys: see [`IndependentKeys`].
    PairsMayHoldKeys,
    /// Transactions have numbers, and registers begin as 0, which stands as nil where it was read: see
    /// [`accesses`](super::accesses).
    KeysBeginAsZero,
}

fn mixed(name: &str) -> String {
    format!(
        "found processes with numbers and a process named {name}: expected all clients to have numbers, or all to have names (nemesis is none)"
    )
}

/// A place and what is wrong there.
type Wrong = (Place, String);

impl Assembly {
    /// A history without events.
    pub fn new(peculiarity: Peculiarity) -> Assembly {
        Assembly {
            history: HistoryBuilder::new(),
            keys: (peculiarity == Peculiarity::PairsMayHoldKeys).then(IndependentKeys::default),
            transactions: (peculiarity == Peculiarity::KeysBeginAsZero).then(FxHashSet::default),
            invoked: false,
            completed_alone: None,
            process_said: None,
            named: None,
            numbered: false,
            functions: Vec::new(),
            // The index of an access is the number of its transaction.
            order: if peculiarity == Peculiarity::KeysBeginAsZero { Order::Lines } else { Order::Places },
        }
    }

    /// How many events there are so far.
    pub fn events(&self) -> u64 {
        match &self.order {
            Order::Fallen(fallen) => fallen.events.len() as u64,
            _ => u64::from(self.history.next_position()),
        }
    }

    /// How much memory the history takes so far, in bytes.
    pub fn bytes(&self) -> usize {
        self.history.bytes() + self.order.bytes()
    }

    /// Adds the events of a batch, which is empty then. `place` turns their offsets into places.
    pub fn add(&mut self, batch: &mut Batch, place: impl Fn(usize) -> Place) -> Result<(), Wrong> {
        let Batch { events, names, lists } = batch;
        self.functions.clear();
        self.functions.resize(names.len(), None);
        for event in events.drain(..) {
            let at = event.at as usize;
            self.add_event(event, names, lists, || place(at)).map_err(|wrong| self.misfit().unwrap_or(wrong))?;
        }
        batch.clear();
        Ok(())
    }

    /// The history of all events.
    pub fn finish(mut self) -> Result<History, Wrong> {
        if let Order::Fallen(fallen) = &mut self.order {
            let in_lines = fallen.clone();
            fallen.sort();
            if self.begin_again().is_err() {
                // Then the index is no order either.
                self.order = Order::Fallen(in_lines);
                self.history = std::mem::take(&mut self.history).without_events();
                self.begin_again().map_err(|wrong| self.misfit().unwrap_or(wrong))?;
            }
        }
        if let Some(misfit) = self.misfit() {
            return Err(misfit);
        }
        let mut history = self.history.finish();
        if let Some(keys) = self.keys {
            keys.take_apart(&mut history);
        }
        chosen::tell_elements(&mut history);
        if self.transactions.is_some() {
            read_written_zeros(&mut history);
        }
        Ok(history)
    }

    fn misfit(&self) -> Option<Wrong> {
        self.keys.as_ref().and_then(IndependentKeys::misfit)
    }

    fn add_event(
        &mut self,
        event: BatchedEvent,
        names: &Names,
        lists: &Lists,
        place: impl Fn() -> Place,
    ) -> Result<(), Wrong> {
        let said = match event.who {
            Who::Named(name) if names.get(name) == NEMESIS => {
                let index = event.index;
                let event = self.nemesis_event(event, name, names, lists);
                return self.take(index, Said::Nemesis(event), place);
            }
            Who::Named(name) => {
                if self.numbered {
                    return Err((place(), mixed(names.get(name))));
                }
                let named = self.named.get_or_insert_default();
                let next = named.len() as u32;
                Some(*named.entry(names.get(name).to_owned()).or_insert(next))
            }
            Who::Client(process) => {
                if let Some(name) = self.named.as_ref().and_then(|named| named.keys().min()) {
                    return Err((place(), mixed(name)));
                }
                self.numbered = true;
                Some(process)
            }
            Who::Unsaid => None,
        };
        if *self.process_said.get_or_insert(said.is_some()) != said.is_some() {
            let problem = match said {
                Some(_) => "found a process, but the events before have none: expected it in all events or in none",
                None => NO_PROCESS,
            };
            return Err((place(), problem.to_owned()));
        }
        if let (Some(known), Some(number)) = (&mut self.transactions, event.index) {
            let process = said.unwrap_or_default();
            if !known.insert((process, number)) {
                let problem = format!(
                    "found transaction {number} of session {process} again: expected all its lines one behind the other"
                );
                return Err((place(), problem));
            }
        }
        let known = &mut self.functions[event.function.0 as usize];
        let event = ClientEvent {
            index: event.index,
            time: event.time,
            process: said.unwrap_or_default(),
            event_type: event.event_type,
            function: *known.get_or_insert_with(|| self.history.function(names.get(event.function))),
            key: event.key.map(|key| self.history.intern(key)),
            value: match event.value {
                BatchedValue::Plain(value) => self.history.intern(value),
                BatchedValue::Packed { begin, end, hash } => self.history.intern_packed(lists.of(begin, end), hash),
            },
            error: event.error.map(|error| *error),
        };
        // Nearly always: an event in its place waits for nothing.
        if self.order.is_in_place(self.history.next_position(), event.index) {
            return self.admit_client(event, said.is_some(), place);
        }
        self.take(event.index, Said::Client(event, said.is_some()), place)
    }

    /// Adds an event to the history, or lets it wait for those with a lower index.
    fn take(&mut self, index: Option<u64>, said: Said, place: impl Fn() -> Place) -> Result<(), Wrong> {
        let (history, invoked, alone) = (&self.history, self.invoked, self.completed_alone.is_some());
        let may_wait = || matches!(&said, Said::Client(event, _) if breaks_order(history, event, invoked, alone));
        if self.order.keeps(history.next_position(), index, may_wait) {
            return self.admit(said, place);
        }
        if let Order::Rising(indices) = &self.order {
            let is_process_said = self.process_said.unwrap_or(true);
            self.order = Order::Fallen(Fallen::of(history.so_far(), indices, is_process_said, place()));
            self.history = std::mem::take(&mut self.history).without_events();
        }
        let Order::Fallen(fallen) = &mut self.order else { return self.admit(said, place) };
        match fallen.wait(index, said, place()) {
            Ok(()) => Ok(()),
            Err(said) => {
                self.begin_again()?;
                self.admit(said, place)
            }
        }
    }

    /// Adds the events that waited, in their order, as if there had been none before.
    fn begin_again(&mut self) -> Result<(), Wrong> {
        let Order::Fallen(fallen) = std::mem::replace(&mut self.order, Order::Lines) else { return Ok(()) };
        self.keys = self.keys.take().map(|_| IndependentKeys::default());
        (self.invoked, self.completed_alone) = (false, None);
        for Waiting { place, event, .. } in fallen.events {
            self.admit(event, || place)?;
        }
        Ok(())
    }

    /// Adds the next event to the history.
    fn admit(&mut self, said: Said, place: impl Fn() -> Place) -> Result<(), Wrong> {
        match said {
            Said::Client(event, is_process_said) => self.admit_client(event, is_process_said, place),
            Said::Nemesis(mut event) => {
                event.position = self.history.next_position();
                self.history.push_nemesis(event).map(drop).map_err(|rule| broken(&place, rule))
            }
        }
    }

    fn admit_client(
        &mut self,
        mut event: ClientEvent,
        is_process_said: bool,
        place: impl Fn() -> Place,
    ) -> Result<(), Wrong> {
        let said = is_process_said.then_some(event.process);
        let alone = self.is_alone(event.event_type, event.function, said, &place)?;
        // Where nobody says who, completions alone are of a process each, and all other events of one.
        if alone && !is_process_said {
            event.process = self.history.next_position();
        }
        if let Some(keys) = &mut self.keys {
            let history = &self.history;
            let (value, function) = (history.so_far().item(event.value), history.name_of(event.function));
            keys.note(&event, value, function, history.open_operation(event.process), &place)?;
        }
        let added = if alone { self.history.push_alone(event) } else { self.history.push_client(event) };
        added.map(drop).map_err(|rule| match is_process_said {
            true => broken(&place, rule),
            false => (place(), NO_PROCESS.to_owned()),
        })
    }

    /// What the nemesis did.
    fn nemesis_event(&self, event: BatchedEvent, name: Name, names: &Names, lists: &Lists) -> NemesisEvent {
        NemesisEvent {
            position: self.history.next_position(),
            time: event.time,
            process: names.get(name).to_owned(),
            event_type: event.event_type,
            function: names.get(event.function).to_owned(),
            value: lists.item(&event.value).to_value(),
        }
    }

    /// Whether the event is a completion among completions alone, as far as one can tell.
    fn is_alone(
        &mut self,
        event_type: EventType,
        function: ValueId,
        process: Option<u32>,
        place: impl Fn() -> Place,
    ) -> Result<bool, Wrong> {
        if event_type == EventType::Invoke {
            self.invoked = true;
            return self.completed_alone.take().map_or(Ok(false), Err);
        }
        if self.invoked {
            return Ok(false);
        }
        let function = self.history.name_of(function);
        let first = self.completed_alone.get_or_insert_with(|| {
            let rule = |process| BrokenRule::NothingOpen { process, function: function.to_owned() }.to_string();
            (place(), process.map_or_else(|| NO_PROCESS.to_owned(), rule))
        });
        if function == "txn" { Ok(true) } else { Err(first.clone()) }
    }
}

/// Whether an event breaks a rule as it comes too early or too late, after some invocation or after completions alone.
fn breaks_order(history: &HistoryBuilder, event: &ClientEvent, invoked: bool, alone: bool) -> bool {
    match (event.event_type, history.open_operation(event.process)) {
        (EventType::Invoke, open) => open.is_some() || alone,
        (_, None) => invoked || history.name_of(event.function) != "txn",
        (_, Some(open)) => {
            open.function_id() != event.function || event.key.is_some_and(|key| open.key_id() != Some(key))
        }
    }
}

/// Where some transaction that happened writes 0 to a key, a read of nil from that key was one of 0.
fn read_written_zeros(history: &mut History) {
    fn accesses(history: &History, value: ValueId) -> impl Iterator<Item = (Item<'_>, Item<'_>, Item<'_>)> {
        let list = if let Item::List(list) = history.item(value) { list } else { List::default() };
        list.iter().filter_map(|access| {
            let mut parts = if let Item::List(parts) = access { parts.iter() } else { return None };
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
    }
    let happened = history.operations().filter(|operation| operation.outcome() == Outcome::Ok);
    let written = happened.flat_map(|operation| accesses(history, operation.argument_id()));
    let zeros = written.filter(|access| matches!(access, (Item::Text("w"), _, Item::Int(0))));
    let keys: FxHashSet<Value> = zeros.map(|(_, key, _)| key.to_value()).collect();
    if keys.is_empty() {
        return;
    }
    for row in 0..history.len() {
        let value = history.argument[row];
        let is_zero = |word, key: Item<'_>, value| {
            (word, value) == (Item::Text("r"), Item::Nil) && keys.contains(&key.to_value())
        };
        if accesses(history, value).any(|(word, key, value)| is_zero(word, key, value)) {
            let mended = accesses(history, value).map(|(word, key, value)| {
                let value = if is_zero(word, key, value) { Item::Int(0) } else { value };
                Value::List([word, key, value].map(Item::to_value).into())
            });
            let mended = Value::List(mended.collect());
            let id = history.values.intern(mended);
            (history.argument[row], history.result[row]) = (id, id);
        }
    }
}

fn broken(place: impl Fn() -> Place, rule: BrokenRule) -> Wrong {
    (place(), rule.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::{read, write_json_lines};
    use super::*;

    fn error_of(text: &str) -> String {
        read("h", text.as_bytes()).unwrap_err().to_string()
    }

    const COMPLETIONS: &str = "{:type :ok, :process 3, :value [[:append x 1]], :time 5, :index 7}\n\
         {:process :nemesis, :type :info, :f :kill}\n\
         {:type :info, :process 1, :f :txn, :value [[:append x 2]], :error :timeout}\n\
         {:type :fail, :process 3, :f nil, :value [[:append x 3] [:r y]]}\n";

    #[test]
    fn completions_of_transactions_alone_are_operations_without_real_time() {
        let history = read("h", COMPLETIONS.as_bytes()).unwrap();
        assert!(!history.has_real_time());
        let seen: Vec<_> = (history.operations())
            .map(|operation| (operation.index(), operation.process(), operation.outcome(), operation.invoked()))
            .collect();
        assert_eq!(seen, [(7, 3, Outcome::Ok, 0), (2, 1, Outcome::Info, 2), (3, 3, Outcome::Fail, 3)]);
        for operation in history.operations() {
            assert_eq!((operation.function(), operation.completed()), ("txn", operation.invoked()));
            assert_eq!(operation.argument(), operation.result());
        }
        assert_eq!(history.operation(super::super::OperationId(1)).error(), Some(&Value::text("timeout")));
    }

    #[test]
    fn completions_alone_are_written_as_such() {
        let write = |history: &History| {
            let mut lines = Vec::new();
            write_json_lines(history, &mut lines).unwrap();
            lines
        };
        let lines = write(&read("h", COMPLETIONS.as_bytes()).unwrap());
        assert_eq!(lines.iter().filter(|&&byte| byte == b'\n').count(), 4);
        assert_eq!(write(&read("h", &lines[..]).unwrap()), lines);
    }

    #[test]
    fn a_completion_without_its_invocation_is_refused_where_anything_else_was_invoked_or_done() {
        let nothing_open = "h:1:1: process 3 completes txn, but has nothing open";
        let invocation = "{:type :invoke, :process 9, :f :txn, :value []}\n";
        assert!(error_of(&format!("{COMPLETIONS}{invocation}")).starts_with(nothing_open));
        assert!(error_of(&format!("{COMPLETIONS}{{:type :ok, :process 9, :f :read}}")).starts_with(nothing_open));
        assert!(error_of(&format!("{invocation}{COMPLETIONS}")).starts_with(&nothing_open.replace("1:1", "2:1")));
    }

    #[test]
    fn where_no_event_says_its_process_one_process_did_everything() {
        let text = "{:type :invoke, :f :read}\n{:type :ok, :f :read}\n{:type :invoke, :f :read, :process nil}\n";
        let history = read("h", text.as_bytes()).unwrap();
        assert_eq!((history.len(), history.operation(super::super::OperationId(1)).process()), (2, 0));
        assert!(history.has_real_time());
        assert!(
            error_of(&format!("{text}{text}")).starts_with("h:4:1: found no process: expected an event with process")
        );
        assert!(
            error_of(&format!("{text}{{:type :ok, :f :read, :process 0}}"))
                .starts_with("h:4:1: found a process, but the events before have none")
        );
        assert!(
            error_of(&format!("{invoke}{text}", invoke = "{:type :invoke, :f :x, :process 5}\n"))
                .starts_with("h:2:1: found no process")
        );
    }

    #[test]
    fn completions_alone_without_a_process_are_of_a_process_each() {
        let text = "{\"type\":\"ok\",\"value\":[[\"r\",1,null]]}\n".repeat(3);
        let history = read("h", text.as_bytes()).unwrap();
        assert_eq!(history.operations().map(|operation| operation.process()).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_process_may_go_on_after_an_operation_of_unknown_outcome() {
        let text = "{:type :invoke, :f :w, :process 0, :value 1}\n{:type :info, :f :w, :process 0, :value 1}\n\
                    {:type :invoke, :f :w, :process 0, :value 2, :time 9}\n{:type :ok, :f :w, :process 0, :value 3, :time 4}\n";
        let history = read("h", text.as_bytes()).unwrap();
        let outcomes: Vec<_> = history.operations().map(|operation| operation.outcome()).collect();
        assert_eq!(outcomes, [Outcome::Info, Outcome::Ok]);
        assert_eq!(history.operation(super::super::OperationId(1)).result(), &Value::Int(3));
    }
}
