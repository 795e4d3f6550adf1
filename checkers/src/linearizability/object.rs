//! One object of a history: the operations that linearizability has to order among themselves.

use crate::History;
use crate::history::{OperationId, ValueId};

/// The operations on one object, in the order of their invocations.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub key: Option<ValueId>,
    pub operations: Vec<OperationId>,
}

impl Object {
    /// All operations of a history, as those of one object.
    pub fn whole(history: &History) -> Vec<Object> {
        vec![Object { key: None, operations: history.operations().map(|operation| operation.id()).collect() }]
    }

    /// The objects of a history by key, in the order in which they first occur.
    pub fn by_key(history: &History) -> Vec<Object> {
        const NONE: u32 = u32::MAX;
        let mut objects: Vec<Object> = Vec::new();
        let mut places = vec![NONE; history.values().len()];
        let mut keyless = NONE;
        for operation in history.operations() {
            let place = match operation.key_id() {
                Some(key) => &mut places[key.0 as usize],
                None => &mut keyless,
            };
            if *place == NONE {
                *place = objects.len() as u32;
                objects.push(Object { key: operation.key_id(), operations: Vec::new() });
            }
            objects[*place as usize].operations.push(operation.id());
        }
        objects
    }
}
