//! How what is written lies in a file: each record behind its length and its checksum, so that what is torn or has rotted is told.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::raft::{Index, Life, NodeId, Snapshot, SnapshotHead, Term};
use crate::raft_kv::message::Entry;

/// One thing that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The term, the vote, and which machine of its name this is.
    State(Term, Option<NodeId>, Life),
    /// The log is cut from here on.
    Truncate(Index),
    /// An entry behind the end of the log.
    Entry(Entry),
    /// A segment begins, behind this place of the log.
    Segment(Index),
    /// The log is given up, and begins anew behind this place.
    Restart(Index),
    /// A snapshot is about to be taken: all of it but its state.
    Snapshot(SnapshotHead),
}

fn frame(body: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    bytes.extend_from_slice(body);
}

pub(super) fn encode(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        frame(&postcard::to_stdvec(record).expect("every record has an encoding"), &mut bytes);
    }
    bytes
}

pub(super) fn encode_snapshot(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    let body = postcard::to_stdvec(&(snapshot.index, &snapshot.state)).expect("every snapshot has an encoding");
    frame(&body, &mut bytes);
    bytes
}

/// What is at the beginning of some bytes, and how long it is with its head.
pub(super) fn first<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, usize)> {
    let (head, rest) = bytes.split_at_checked(8)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let checksum = u32::from_le_bytes(head[4..].try_into().ok()?);
    let body = rest.get(..length).filter(|_| length > 0)?;
    if crc32fast::hash(body) != checksum {
        return None;
    }
    Some((postcard::from_bytes(body).ok()?, 8 + length))
}

/// The records of a segment up to the first that is torn or damaged, and how many bytes those are.
pub(super) fn decode(bytes: &[u8]) -> (Vec<Record>, u64) {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some((record, length)) = first(&bytes[at..]) {
        records.push(record);
        at += length;
    }
    (records, at as u64)
}

/// Whether a whole record begins anywhere behind a damaged one: then it is not the end that is torn.
pub(super) fn is_followed(damaged: &[u8]) -> bool {
    (1..damaged.len()).any(|at| first::<Record>(&damaged[at..]).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::raft::Payload;

    fn records(terms: &[u64]) -> Vec<Record> {
        terms
            .iter()
            .map(|&term| match term % 3 {
                0 => Record::State(term, Some((term % 5) as u8), 0),
                1 => Record::Truncate(term),
                _ => Record::Entry(Entry { term, payload: Payload::Nothing }),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_torn_end_costs_only_the_torn_record(terms in prop::collection::vec(0..1000u64, 1..20), cut in 0..400usize) {
            let written = records(&terms);
            let whole = encode(&written);
            let kept = &whole[..whole.len().saturating_sub(cut)];
            let (read, bytes) = decode(kept);
            prop_assert_eq!(&written[..read.len()], &read[..]);
            prop_assert_eq!(bytes, encode(&read).len() as u64);
            prop_assert!(!is_followed(&kept[bytes as usize..]));
        }

        #[test]
        fn a_flipped_byte_before_the_end_is_no_torn_end(terms in prop::collection::vec(0..1000u64, 2..20), at: prop::sample::Index) {
            let written = records(&terms);
            let mut bytes = encode(&written);
            let before_the_last = bytes.len() - encode(&written[written.len() - 1..]).len();
            let at = at.index(before_the_last);
            bytes[at] ^= 0x5a;
            let (read, whole) = decode(&bytes);
            prop_assert!(read.len() < written.len());
            prop_assert!(is_followed(&bytes[whole as usize..]));
        }
    }
}
