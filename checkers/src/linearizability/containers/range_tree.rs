//! Numbers in a row: change a stretch of them, ask for the least of a stretch. Each takes O(log n).

/// Segment tree with lazy addition.
pub(super) struct RangeTree {
    leaves: usize,
    least: Vec<i32>,
    added: Vec<i32>,
}

impl RangeTree {
    /// A tree of these numbers.
    pub fn new(numbers: &[i32]) -> RangeTree {
        let leaves = numbers.len().next_power_of_two().max(1);
        let mut least = vec![i32::MAX / 2; 2 * leaves];
        least[leaves..leaves + numbers.len()].copy_from_slice(numbers);
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        RangeTree { leaves, least, added: vec![0; 2 * leaves] }
    }

    /// Adds to every number from `from` up to, but not with, `to`.
    pub fn add(&mut self, from: usize, to: usize, amount: i32) {
        if from < to {
            self.add_at(1, 0, self.leaves, from, to, amount);
        }
    }

    fn add_at(&mut self, node: usize, low: usize, high: usize, from: usize, to: usize, amount: i32) {
        if from <= low && high <= to {
            self.least[node] += amount;
            self.added[node] += amount;
            return;
        }
        let middle = (low + high) / 2;
        if from < middle {
            self.add_at(2 * node, low, middle, from, to, amount);
        }
        if to > middle {
            self.add_at(2 * node + 1, middle, high, from, to, amount);
        }
        self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]) + self.added[node];
    }

    /// The place of the first number from `from` up to, but not with, `to` that is at most `bound`.
    pub fn first_at_most(&self, bound: i32, from: usize, to: usize) -> Option<usize> {
        self.first(1, 0, self.leaves, from, to, bound)
    }

    fn first(&self, node: usize, low: usize, high: usize, from: usize, to: usize, bound: i32) -> Option<usize> {
        if high <= from || to <= low || self.least[node] > bound {
            return None;
        }
        if high - low == 1 {
            return Some(low);
        }
        let middle = (low + high) / 2;
        // What was added to this node was added to all below it.
        let bound = bound - self.added[node];
        self.first(2 * node, low, middle, from, to, bound)
            .or_else(|| self.first(2 * node + 1, middle, high, from, to, bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_does_what_a_row_does() {
        let mut row: Vec<i32> = (0..37).map(|n| (n * 7) % 11).collect();
        let mut tree = RangeTree::new(&row);
        for round in 0..2_000_usize {
            let (from, to) = ((round * 13) % 37, (round * 29) % 38);
            let amount = (round % 5) as i32 - 2;
            row.iter_mut().take(to).skip(from).for_each(|number| *number += amount);
            tree.add(from, to, amount);
            for bound in -3..6 {
                let expected = (from..to).find(|&at| row[at] <= bound);
                assert_eq!(tree.first_at_most(bound, from, to), expected);
            }
        }
    }
}
