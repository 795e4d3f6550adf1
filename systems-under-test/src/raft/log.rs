//! The replicated log, as it stands in memory.

use super::{Entry, Index, Term};

/// Entries from place 1 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log<C> {
    entries: Vec<Entry<C>>,
}

impl<C> Default for Log<C> {
    fn default() -> Log<C> {
        Log { entries: Vec::new() }
    }
}

impl<C> Log<C> {
    /// A log that was read from disk.
    pub fn of(entries: Vec<Entry<C>>) -> Log<C> {
        Log { entries }
    }

    /// The last place, or 0.
    pub fn last_index(&self) -> Index {
        self.entries.len() as Index
    }

    /// The term of the last entry, or 0.
    pub fn last_term(&self) -> Term {
        self.entries.last().map_or(0, |entry| entry.term)
    }

    /// The term at a place; 0 at place 0, `None` behind the end.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == 0 { Some(0) } else { self.get(index).map(|entry| entry.term) }
    }

    /// The entry at a place.
    pub fn get(&self, index: Index) -> Option<&Entry<C>> {
        self.entries.get(usize::try_from(index).ok()?.checked_sub(1)?)
    }

    /// Up to `most` entries from a place on.
    pub fn from(&self, index: Index, most: usize) -> &[Entry<C>] {
        let from = (index.max(1) as usize - 1).min(self.entries.len());
        &self.entries[from..(from + most).min(self.entries.len())]
    }

    /// Puts an entry behind the end, and gives its place.
    pub fn push(&mut self, entry: Entry<C>) -> Index {
        self.entries.push(entry);
        self.last_index()
    }

    /// Cuts off all from a place on, and tells how many those were.
    pub fn truncate_from(&mut self, index: Index) -> usize {
        let keep = (index.max(1) as usize - 1).min(self.entries.len());
        let cut = self.entries.len() - keep;
        self.entries.truncate(keep);
        cut
    }

    /// The first place of the term that the entry at this place has.
    pub fn first_of_term_at(&self, index: Index) -> Index {
        let term = self.term_at(index);
        (1..=index).rev().take_while(|&at| self.term_at(at) == term).last().unwrap_or(index)
    }

    /// The last place with this term, if there is one.
    pub fn last_of_term(&self, term: Term) -> Option<Index> {
        let at = self.entries.partition_point(|entry| entry.term <= term);
        (at > 0 && self.entries[at - 1].term == term).then_some(at as Index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[Term]) -> Log<()> {
        Log::of(terms.iter().map(|&term| Entry { term, command: None }).collect())
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
}
