//! The replicated log, as it stands in memory: what comes after the latest entries that were compacted away.

use serde::Serialize;

use super::{Entry, Index, Term};

/// Entries behind a place up to which there are none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log<C> {
    /// The place before the first entry, its term, and the digest of the log up to there.
    base: Place,
    entries: Vec<Entry<C>>,
    /// The digest of the log up to each entry.
    chains: Vec<u32>,
}

/// A place in a log, and what tells logs apart that reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub index: Index,
    /// The term of the entry there.
    pub term: Term,
    /// A digest of all entries up to there.
    pub chain: u32,
}

impl<C> Default for Log<C> {
    fn default() -> Log<C> {
        Log { base: Place::default(), entries: Vec::new(), chains: Vec::new() }
    }
}

impl<C: Serialize> Log<C> {
    /// An empty log behind a place.
    pub fn behind(base: Place) -> Log<C> {
        Log { base, ..Log::default() }
    }

    /// A log with these entries from place 1 on.
    #[cfg(test)]
    pub fn of(entries: Vec<Entry<C>>) -> Log<C> {
        let mut log = Log::default();
        entries.into_iter().for_each(|entry| {
            log.push(entry);
        });
        log
    }

    /// The place before the first entry.
    pub fn base(&self) -> Place {
        self.base
    }

    /// The last place.
    pub fn last_index(&self) -> Index {
        self.base.index + self.entries.len() as Index
    }

    /// The term of the last entry, or 0.
    pub fn last_term(&self) -> Term {
        self.entries.last().map_or(self.base.term, |entry| entry.term)
    }

    /// The term at a place; 0 at place 0, `None` behind the end and where the log is compacted.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index { Some(self.base.term) } else { self.get(index).map(|entry| entry.term) }
    }

    /// The digest of the log up to a place.
    pub fn chain_at(&self, index: Index) -> Option<u32> {
        if index == self.base.index { Some(self.base.chain) } else { self.chains.get(self.position(index)?).copied() }
    }

    /// The entry at a place.
    pub fn get(&self, index: Index) -> Option<&Entry<C>> {
        self.entries.get(self.position(index)?)
    }

    /// Up to `most` entries from a place on.
    pub fn from(&self, index: Index, most: usize) -> &[Entry<C>] {
        let from = (index.max(self.base.index + 1) - self.base.index - 1).min(self.entries.len() as u64) as usize;
        &self.entries[from..(from + most).min(self.entries.len())]
    }

    /// Puts an entry behind the end, and gives its place.
    pub fn push(&mut self, entry: Entry<C>) -> Index {
        let before = self.chains.last().copied().unwrap_or(self.base.chain);
        let bytes = postcard::to_stdvec(&entry).expect("every entry has an encoding");
        let mut chain = crc32fast::Hasher::new();
        chain.update(&before.to_le_bytes());
        chain.update(&bytes);
        self.chains.push(chain.finalize());
        self.entries.push(entry);
        self.last_index()
    }

    /// Cuts off all from a place on, and tells how many those were.
    pub fn truncate_from(&mut self, index: Index) -> usize {
        let keep = (index.max(self.base.index + 1) - self.base.index - 1).min(self.entries.len() as u64) as usize;
        let cut = self.entries.len() - keep;
        self.entries.truncate(keep);
        self.chains.truncate(keep);
        cut
    }

    /// Takes away all up to a place that is in the log.
    pub fn compact(&mut self, index: Index) {
        let (Some(term), Some(chain)) = (self.term_at(index), self.chain_at(index)) else { return };
        let gone = (index - self.base.index) as usize;
        self.entries.drain(..gone);
        self.chains.drain(..gone);
        self.base = Place { index, term, chain };
    }

    /// The first place of the term that the entry at this place has, as far as the log is there.
    pub fn first_of_term_at(&self, index: Index) -> Index {
        let term = self.term_at(index);
        let first = self.base.index + 1;
        (first..=index).rev().take_while(|&at| self.term_at(at) == term).last().unwrap_or(index)
    }

    /// The last place with this term, if there is one.
    pub fn last_of_term(&self, term: Term) -> Option<Index> {
        let at = self.entries.partition_point(|entry| entry.term <= term);
        (at > 0 && self.entries[at - 1].term == term).then_some(self.base.index + at as Index)
    }

    fn position(&self, index: Index) -> Option<usize> {
        usize::try_from(index.checked_sub(self.base.index + 1)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Payload;
    use super::*;

    fn log(terms: &[Term]) -> Log<()> {
        Log::of(terms.iter().map(|&term| Entry { term, payload: Payload::Nothing }).collect())
    }

    #[test]
    fn places_count_from_one() {
        let log = log(&[1, 1, 2]);
        assert_eq!((log.last_index(), log.last_term()), (3, 2));
        assert_eq!((log.term_at(0), log.term_at(1), log.term_at(3), log.term_at(4)), (Some(0), Some(1), Some(2), None));
        assert_eq!(log.from(2, 10).len(), 2);
        assert_eq!(log.from(4, 10).len(), 0);
        assert_eq!(Log::<()>::default().last_term(), 0);
    }

    #[test]
    fn the_ends_of_a_term_are_found() {
        let log = log(&[1, 2, 2, 2, 5]);
        assert_eq!(log.first_of_term_at(4), 2);
        assert_eq!(log.first_of_term_at(1), 1);
        assert_eq!((log.last_of_term(2), log.last_of_term(5), log.last_of_term(3)), (Some(4), Some(5), None));
    }

    #[test]
    fn truncation_counts_what_it_cuts() {
        let mut log = log(&[1, 2, 3]);
        assert_eq!(log.truncate_from(2), 2);
        assert_eq!(log.last_index(), 1);
        assert_eq!(log.truncate_from(9), 0);
    }

    #[test]
    fn thesis_5_1_a_compacted_log_keeps_places_terms_and_digests() {
        let whole = log(&[1, 2, 2, 3]);
        let mut compacted = whole.clone();
        compacted.compact(2);
        assert_eq!((compacted.last_index(), compacted.term_at(2), compacted.term_at(1)), (4, Some(2), None));
        assert_eq!(compacted.get(3), whole.get(3));
        assert_eq!(compacted.chain_at(4), whole.chain_at(4));
        assert_eq!(compacted.last_of_term(3), Some(4));
        assert_eq!(compacted.first_of_term_at(3), 3);
        assert_eq!(compacted.truncate_from(3), 2);
        let mut grown = Log::behind(compacted.base());
        grown.push(whole.get(3).unwrap().clone());
        assert_eq!(grown.chain_at(3), whole.chain_at(3));
    }

    #[test]
    fn digests_tell_logs_apart_that_differ_anywhere() {
        assert_ne!(log(&[1, 2, 3]).chain_at(3), log(&[1, 1, 3]).chain_at(3));
        assert_eq!(log(&[1, 2, 3]).chain_at(2), log(&[1, 2, 9]).chain_at(2));
    }
}
