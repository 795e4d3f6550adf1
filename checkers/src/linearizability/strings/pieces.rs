//! What a string was made of: the texts that were put and appended, and how a text that was shown falls into them.
//!
//! ```text
//!   put "ab"   append "c"   append "cd"   append "d"
//!
//!   get → "abcd"   =  ab·c·d  or  ab·cd: nobody knows
//!   get → "abc"    =  ab·c
//!   get → "bc"     =  nothing: it lost its beginning
//! ```
//!
//! The texts are sorted. Those that are a beginning of what follows from some place on are the last text that is not greater than it, and
//! the texts that are a beginning of that one, as each knows the longest of its own. Places that some pieces reach are visited from left to right, each
//! once. Where no text is a beginning of another, there is one way at most.
//!
//! *Cost:* O(log n) comparisons for each piece; where texts are beginnings of others, as many steps more as there are such.

use std::collections::BTreeMap;

use super::Change;

/// The texts of an object, each once.
pub(super) struct Pieces<'a> {
    texts: Vec<Text<'a>>,
    /// Whether somebody may have put the empty string: then nobody can tell whether that or nothing came first.
    puts_nothing: bool,
    /// Whether no text is the beginning of another, so that there is only one way to go on.
    is_prefix_free: bool,
}

/// A text, and who may have put or appended it.
pub(super) struct Text<'a> {
    text: &'a str,
    /// The longest other text that is the beginning of this one.
    beginning: Option<u32>,
    pub puts: Users,
    pub appends: Users,
}

/// Changes that put, or that append, one text.
#[derive(Clone, Copy, Default)]
pub(super) struct Users {
    many: u32,
    last: u32,
}

impl Users {
    fn add(&mut self, change: u32) {
        self.many += 1;
        self.last = change;
    }

    /// The change, if it is the only one.
    pub fn only(self) -> Option<u32> {
        (self.many == 1).then_some(self.last)
    }
}

/// One piece of a string: a text, put as the first, or appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub text: u32,
    pub is_put: bool,
}

/// How a text falls into pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fall {
    /// In this way only. Each piece with the place where it ends.
    Once(Vec<(Piece, usize)>),
    /// In several ways.
    Often,
    /// In none.
    Never,
}

/// A place in a text that pieces reach.
struct Reached {
    ways: u32,
    piece: Piece,
    from: usize,
}

impl<'a> Pieces<'a> {
    pub fn of(changes: &[Change<'a>]) -> Pieces<'a> {
        let mut sorted: Vec<(&'a str, u32)> = Vec::with_capacity(changes.len());
        sorted.extend(changes.iter().enumerate().map(|(at, change)| (change.text, at as u32)));
        sorted.sort_unstable();
        let mut pieces = Pieces { texts: Vec::new(), puts_nothing: false, is_prefix_free: true };
        for (text, at) in sorted {
            if text.is_empty() {
                pieces.puts_nothing = true;
                continue;
            }
            if pieces.texts.last().is_none_or(|last| last.text != text) {
                let beginning = pieces.beginning_of(text, pieces.texts.len().checked_sub(1));
                pieces.is_prefix_free &= beginning.is_none();
                pieces.texts.push(Text { text, beginning, puts: Users::default(), appends: Users::default() });
            }
            let last = pieces.texts.last_mut().expect("one was just pushed, if there was none");
            if changes[at as usize].is_put { last.puts.add(at) } else { last.appends.add(at) }
        }
        pieces
    }

    pub fn text(&self, piece: Piece) -> &Text<'a> {
        &self.texts[piece.text as usize]
    }

    /// The only change that may have brought a piece, if there is only one.
    pub fn only(&self, piece: Piece) -> Option<u32> {
        let text = self.text(piece);
        if piece.is_put { text.puts.only() } else { text.appends.only() }
    }

    /// Whether all that falls into pieces does so in one way, and goes on in one way where it is cut after a piece.
    pub fn is_prefix_free(&self) -> bool {
        self.is_prefix_free && !self.puts_nothing
    }

    /// The longest of the texts that is a beginning of `rest`, which is this text or one of its beginnings if it is any.
    fn beginning_of(&self, rest: &str, mut text: Option<usize>) -> Option<u32> {
        while let Some(at) = text {
            if rest.as_bytes().starts_with(self.texts[at].text.as_bytes()) {
                return Some(at as u32);
            }
            text = self.texts[at].beginning.map(|at| at as usize);
        }
        None
    }

    /// The pieces that may stand at the beginning of `rest`.
    fn at(&self, rest: &str, is_first: bool) -> impl Iterator<Item = Piece> {
        let after = self.texts.partition_point(|text| text.text <= rest);
        let longest = self.beginning_of(rest, after.checked_sub(1));
        let all = std::iter::successors(longest, |&text| self.texts[text as usize].beginning);
        all.flat_map(move |text| {
            let Text { puts, appends, .. } = &self.texts[text as usize];
            let put = (is_first && puts.many > 0).then_some(Piece { text, is_put: true });
            let append = (appends.many > 0).then_some(Piece { text, is_put: false });
            put.into_iter().chain(append)
        })
    }

    fn length(&self, piece: Piece) -> usize {
        self.text(piece).text.len()
    }

    /// The first piece of a string, where no text is the beginning of another.
    pub fn begins_with(&self, shown: &str) -> Option<Piece> {
        self.at(shown, true).next()
    }

    /// How a string falls into pieces from a place on, to which others led.
    pub fn fall(&self, shown: &str, from: usize) -> Fall {
        let start = if self.puts_nothing { 2 } else { 1 };
        if from == shown.len() {
            return if from == 0 && start > 1 { Fall::Often } else { Fall::Once(Vec::new()) };
        }
        let mut next: BTreeMap<usize, Reached> = BTreeMap::new();
        let mut passed: Vec<(usize, Reached)> = Vec::new();
        let mut here = (from, if from == 0 { start } else { 1 });
        loop {
            let (place, ways) = here;
            for piece in self.at(&shown[place..], place == 0) {
                // What was put begins anew: it does not matter what was there.
                let ways = if piece.is_put { 1 } else { ways };
                let reached = next.entry(place + self.length(piece)).or_insert(Reached { ways: 0, piece, from: place });
                reached.ways = (reached.ways + ways).min(2);
            }
            let Some((place, reached)) = next.pop_first() else { return Fall::Never };
            here = (place, reached.ways);
            passed.push((place, reached));
            if place == shown.len() {
                break;
            }
        }
        if here.1 > 1 {
            return Fall::Often;
        }
        let mut pieces = Vec::new();
        let mut back = shown.len();
        for (place, reached) in passed.iter().rev() {
            if *place == back {
                pieces.push((reached.piece, *place));
                back = reached.from;
            }
        }
        pieces.reverse();
        Fall::Once(pieces)
    }

    /// How many bytes of a string, from its beginning on, are pieces and the beginning of one.
    pub fn known(&self, shown: &str) -> usize {
        let mut reached = std::collections::BTreeSet::from([0]);
        let mut furthest = 0;
        while let Some(place) = reached.pop_first() {
            furthest = place;
            reached.extend(self.at(&shown[place..], place == 0).map(|piece| place + self.length(piece)));
        }
        furthest
    }

    /// A text of which all but the beginning stands at the beginning of a string, followed by pieces, if there is one: the text, and how many
    /// bytes of it are missing.
    pub fn cut_off(&self, shown: &str) -> Option<(&'a str, usize)> {
        let lost = |text: &Text<'a>| {
            let bytes = text.text.as_bytes();
            let ends_here = |&cut: &usize| {
                text.text.is_char_boundary(cut)
                    && shown.as_bytes().starts_with(&bytes[cut..])
                    && matches!(self.fall(shown, bytes.len() - cut), Fall::Once(_) | Fall::Often)
            };
            (1..bytes.len()).find(ends_here).map(|cut| (text.text, cut))
        };
        self.texts.iter().find_map(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::OperationId;

    fn pieces<'a>(puts: &[&'a str], appends: &[&'a str]) -> Pieces<'a> {
        let change = |(text, is_put): (&'a str, bool)| Change {
            operation: OperationId(0),
            text,
            is_put,
            invoked: 0,
            completed: 1,
            must: true,
        };
        let puts = puts.iter().map(|text| (*text, true));
        let changes: Vec<Change<'a>> = puts.chain(appends.iter().map(|text| (*text, false))).map(change).collect();
        Pieces::of(&changes)
    }

    fn told(pieces: &Pieces<'_>, shown: &str) -> String {
        match pieces.fall(shown, 0) {
            Fall::Once(all) => {
                let texts: Vec<&str> = all.iter().map(|(piece, _)| pieces.text(*piece).text).collect();
                texts.join("·")
            }
            Fall::Often => "often".to_owned(),
            Fall::Never => "never".to_owned(),
        }
    }

    #[test]
    fn a_string_falls_into_the_pieces_that_there_are() {
        let all = pieces(&["ab"], &["c", "cd", "d"]);
        let cases = [("abc", "ab·c"), ("abcd", "often"), ("bc", "never"), ("", ""), ("cab", "never"), ("ddc", "d·d·c")];
        for (shown, expected) in cases {
            assert_eq!(told(&all, shown), expected, "{shown:?}");
        }
        assert_eq!(told(&pieces(&["a"], &["a"]), "a"), "often");
        assert_eq!(told(&pieces(&["", "b"], &["a"]), "a"), "often");
        assert_eq!(told(&pieces(&["", "b"], &["a"]), "ba"), "b·a");
        assert_eq!(told(&pieces(&[""], &[]), ""), "often");
    }

    #[test]
    fn a_lost_beginning_is_seen() {
        let all = pieces(&[], &["first.", "second."]);
        assert_eq!(all.cut_off("st.second."), Some(("first.", 3)));
        assert_eq!(all.cut_off("x.second."), None);
    }
}
