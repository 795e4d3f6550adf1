//! The records are what `SCHEMA.md` says, and what was written before a field was added is read still.

use crate::fixtures;

use serde_json::{Value as Json, json};
use shakedown_results::{RuledOut, RunRecord};

const SCHEMA: &str = include_str!("../../SCHEMA.md");

/// Every field of the objects of a record, at every depth, but for those that are names of marks and effects.
fn fields(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::Object(entries) => {
            for (name, value) in entries {
                found.push(name.clone());
                if !matches!(name.as_str(), "reach" | "effects") {
                    fields(value, found);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| fields(item, found)),
        _ => {}
    }
}

fn is_described(field: &str) -> bool {
    let codes = SCHEMA.split('`').skip(1).step_by(2);
    codes.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|word| word == field)
}

#[test]
fn every_field_of_a_run_is_described() {
    let mut found = Vec::new();
    for fixture in [fixtures::invalid(), fixtures::edges::causal(), fixtures::panicked()] {
        fields(&serde_json::to_value(&fixture.record).unwrap(), &mut found);
    }
    for field in ["edges", "kind", "reason", "zones", "ruled_out_by", "level", "anomaly", "sentence"] {
        assert!(found.iter().any(|found| found == field), "{field} was not written");
    }
    let missing: Vec<&String> = found.iter().filter(|field| !is_described(field)).collect();
    assert!(missing.is_empty(), "SCHEMA.md does not describe {missing:?}");
}

#[test]
fn edges_and_what_rules_a_guarantee_out_have_the_shape_that_is_described() {
    let mut record = fixtures::edges::causal().record;
    let edge = &mut record.anomalies[0].explanation.edges[0];
    (edge.from, edge.to, edge.reason) = (0, 1, "so it is".to_owned());
    let (level, anomaly) = ("sequential".to_owned(), "CyclicHB".to_owned());
    record.ruled_out_by = vec![RuledOut { level, anomaly, sentence: "a circle".to_owned(), operations: vec![1, 2] }];
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["anomalies"][0]["edges"][0], json!({"from": 0, "to": 1, "kind": "process", "reason": "so it is"}));
    let ruled = json!([{"level": "sequential", "anomaly": "CyclicHB", "sentence": "a circle", "operations": [1, 2]}]);
    assert_eq!(json["ruled_out_by"], ruled);
    assert_eq!(serde_json::from_value::<RunRecord>(json).unwrap(), record);
}

#[test]
fn a_record_of_before_these_fields_is_read() {
    let record = fixtures::invalid().record;
    let mut json = serde_json::to_value(&record).unwrap();
    let run = json.as_object_mut().unwrap();
    run.remove("ruled_out_by").unwrap();
    for anomaly in run["anomalies"].as_array_mut().unwrap() {
        anomaly.as_object_mut().unwrap().remove("edges").unwrap();
    }
    assert_eq!(serde_json::from_value::<RunRecord>(json).unwrap(), record);
}
