//! The plan as text, without the operations of its clients: they are thousands, and `plan.json` has them.

use serde_json::Value as Json;

use super::text::{grouped, visible};

/// The most characters of a plan that a page shows.
const CHARACTERS: usize = 40_000;

/// The most items of a list that a page shows.
const ITEMS: usize = 200;

/// The plan, indented, and what was left out of it, in words.
pub fn shown(plan: &Json) -> (String, Vec<String>) {
    let mut left_out = LeftOut::default();
    let pruned = prune(plan, &mut left_out);
    let pretty = serde_json::to_string_pretty(&pruned).expect("a JSON value has only string keys");
    let mut notes = Vec::new();
    if left_out.operations > 0 {
        notes.push(format!("the {} operations of the clients", grouped(left_out.operations)));
    }
    if left_out.items > 0 {
        notes.push(format!("{} items of long lists", grouped(left_out.items)));
    }
    let total = pretty.chars().count();
    let mut text: String = pretty.chars().take(CHARACTERS).collect();
    if total > CHARACTERS {
        notes.push(format!("the last {} characters", grouped((total - CHARACTERS) as u64)));
        text.push('…');
    }
    (text.lines().map(visible).collect::<Vec<_>>().join("\n"), notes)
}

#[derive(Default)]
struct LeftOut {
    operations: u64,
    items: u64,
}

fn prune(value: &Json, left_out: &mut LeftOut) -> Json {
    match value {
        Json::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Json::Array(items) if name == "operations" => {
                    left_out.operations += items.len() as u64;
                    (name.clone(), Json::String(format!("{} operations: see plan.json", grouped(items.len() as u64))))
                }
                value => (name.clone(), prune(value, left_out)),
            })
            .collect(),
        Json::Array(items) => {
            let mut kept: Vec<Json> = items.iter().take(ITEMS).map(|item| prune(item, left_out)).collect();
            if items.len() > ITEMS {
                left_out.items += (items.len() - ITEMS) as u64;
                kept.push(Json::String(format!("{} more: see plan.json", grouped((items.len() - ITEMS) as u64))));
            }
            Json::Array(kept)
        }
        value => value.clone(),
    }
}
