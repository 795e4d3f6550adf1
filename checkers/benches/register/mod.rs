//! Histories of one register for several benches: one name is one history, wherever it is measured. `r10k-c10-v5-cas` is one register,
//! 10,000 operations, 10 clients, values 0 to 4 (else all distinct), three in ten compare-and-sets.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use shakedown_checkers::history::{Event, EventType, HistoryBuilder, Process};
use shakedown_checkers::{History, Value};

/// What a client has begun, and how it ends once it has taken effect.
type Open = (&'static str, Value, Option<(EventType, Value)>);

/// A history that is linearizable by construction: each operation takes effect on an atomic register at one instant between its
/// invocation and its completion. With `stale`, one late read shows a value that was overwritten long before.
pub fn history(operations: usize, clients: usize, values: Option<i64>, cas: u64, stale: bool) -> History {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut builder = HistoryBuilder::new();
    let mut register = Value::Nil;
    let mut older: Vec<Value> = Vec::new();
    let mut open: Vec<Option<Open>> = vec![None; clients];
    let (mut begun, mut fresh, mut planted) = (0, 0, !stale);
    while begun < operations || open.iter().any(Option::is_some) {
        let client = (chance.next_u64() % clients as u64) as usize;
        let mut draw = || {
            fresh += 1;
            values.map_or(fresh, |values| (chance.next_u64() % values as u64) as i64)
        };
        match open[client].take() {
            None if begun == operations => {}
            None => {
                begun += 1;
                let (one, other) = (draw(), draw());
                let (function, argument) = match chance.next_u64() % 10 {
                    0..5 => ("read", Value::Nil),
                    kind if kind < 5 + cas => ("cas", Value::pair(Value::Int(one), Value::Int(other))),
                    _ => ("write", Value::Int(one)),
                };
                push(&mut builder, client, EventType::Invoke, function, argument.clone());
                open[client] = Some((function, argument, None));
            }
            Some((function, argument, None)) => {
                let mut end = (EventType::Ok, argument.clone());
                match (function, argument.as_pair()) {
                    ("read", _) if !planted && begun > operations * 19 / 20 && older.len() > 60 => {
                        end.1 = older[older.len() - 60].clone();
                        planted = true;
                    }
                    ("read", _) => end.1 = register.clone(),
                    ("cas", Some((expected, new))) if register == *expected => register = new.clone(),
                    ("cas", _) => end.0 = EventType::Fail,
                    _ => {
                        older.push(std::mem::replace(&mut register, argument.clone()));
                    }
                }
                open[client] = Some((function, argument, Some(end)));
            }
            Some((function, _, Some((event_type, value)))) => push(&mut builder, client, event_type, function, value),
        }
    }
    builder.finish()
}

fn push(builder: &mut HistoryBuilder, client: usize, event_type: EventType, function: &str, value: Value) {
    let event = Event {
        index: None,
        time: None,
        process: Process::Client(client as u32),
        event_type,
        function: function.to_owned(),
        key: None,
        value,
        error: None,
    };
    builder.push(event).expect("the generator keeps the rules");
}
