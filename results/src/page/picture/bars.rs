//! The operations of a picture: a bar each, on the lane of its process, with its words above and who answered below.

use shakedown_checkers::Outcome;

use super::shapes::{Bar, Label, px};
use super::{CHARACTER, Canvas, LEFT, RIGHT, SMALL_CHARACTER};
use crate::page::text::clipped;
use crate::page::witness::Proof;

/// The height of a row, and of one with room for arrows below it.
const ROW: f64 = 47.0;
pub const WIDE_ROW: f64 = 62.0;
/// The height of a bar, and where it begins in its row.
pub const BAR: f64 = 10.0;
const BAR_TOP: f64 = 20.0;
/// Where there are more operations than this, each has fewer words.
const FEW: usize = 5;
const FEW_WORDS: usize = 28;

/// Where an operation stands in the picture.
pub struct Place {
    /// The index of its invocation.
    pub index: u64,
    /// Its letter.
    pub letter: String,
    /// Where its bar begins and ends.
    pub left: f64,
    pub right: f64,
    /// The middle of its bar.
    pub middle: f64,
    /// Whether its end is not known: then its bar goes on to the edge of the picture.
    pub open: bool,
    /// What its words, its bar and its answer cover.
    pub covers: [Area; 3],
}

/// A part of the picture.
#[derive(Clone, Copy)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    /// The area that two have in common, in square pixels.
    pub fn shared(&self, other: &Area) -> f64 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    /// Whether a point lies in it.
    pub fn holds(&self, (x, y): (f64, f64)) -> bool {
        self.left <= x && x <= self.right && self.top <= y && y <= self.bottom
    }
}

impl Canvas {
    /// A lane for each process, and as many rows in it as keep the words apart.
    pub(super) fn lanes(&mut self, proofs: &[Proof], with_arrows: bool) -> Vec<Place> {
        let height = if with_arrows { WIDE_ROW } else { ROW };
        let mut places = Vec::with_capacity(proofs.len());
        let mut processes: Vec<u32> = proofs.iter().map(|proof| proof.process).collect();
        processes.sort_unstable();
        processes.dedup();
        if with_arrows {
            self.y += 8.0;
        }
        for process in processes {
            let mut rows: Vec<f64> = Vec::new();
            let mut own: Vec<&Proof> = proofs.iter().filter(|proof| proof.process == process).collect();
            own.sort_by_key(|proof| proof.from);
            for proof in own {
                let (x, width) = self.bar_extent(proof);
                let badge = 6.0 + CHARACTER * proof.letter.len() as f64 + 3.0;
                let short = if proofs.len() > FEW { clipped(&proof.short, FEW_WORDS) } else { proof.short.clone() };
                let words = format!("{short} · {}", proof.outcome());
                let answered = answer_words(proof);
                let words_width = badge + 5.0 + CHARACTER * words.chars().count() as f64;
                let answered_width = SMALL_CHARACTER * answered.chars().count() as f64;
                let text = words_width.max(answered_width);
                let text_x = x.min(RIGHT - text).max(LEFT + 2.0);
                let row = rows.iter().position(|&taken| taken + 10.0 <= text_x.min(x)).unwrap_or(rows.len());
                let taken = (text_x + text).max(x + width);
                match rows.get_mut(row) {
                    Some(end) => *end = taken,
                    None => rows.push(taken),
                }
                let top = self.y + height * row as f64;
                let area =
                    |left, width: f64, from, to| Area { left, top: top + from, right: left + width, bottom: top + to };
                places.push(Place {
                    index: proof.index,
                    letter: proof.letter.clone(),
                    left: x,
                    right: x + width,
                    middle: top + BAR_TOP + BAR / 2.0,
                    open: proof.to.is_none() || proof.outcome == Outcome::Info,
                    covers: [
                        area(text_x, words_width, 2.0, 18.0),
                        area(x, width, BAR_TOP - 1.0, BAR_TOP + BAR + 1.0),
                        area(text_x, answered_width, 33.0, 45.0),
                    ],
                });
                self.picture.bars.push(Bar {
                    outcome: proof.outcome(),
                    badge_x: px(text_x),
                    badge_y: px(top + 3.0),
                    badge_width: px(badge),
                    letter: proof.letter.clone(),
                    letter_x: px(text_x + badge / 2.0),
                    letter_y: px(top + 14.0),
                    words,
                    words_x: px(text_x + badge + 5.0),
                    x: px(x),
                    y: px(top + BAR_TOP),
                    width: px(width),
                    answered,
                    answered_x: px(text_x),
                    answered_y: px(top + 42.0),
                    title: format!(
                        "#{} process {} {} {} s {}",
                        proof.index,
                        process,
                        proof.words,
                        proof.span(),
                        proof.outcome()
                    ),
                    index: proof.index,
                });
            }
            self.picture.lanes.push(Label { y: px(self.y + 29.0), text: format!("p{process}") });
            self.y += height * rows.len() as f64 + 2.0;
        }
        places
    }

    fn bar_extent(&self, proof: &Proof) -> (f64, f64) {
        let x = self.axis.x(proof.from);
        let ends = match (proof.outcome, proof.to) {
            (Outcome::Info, _) | (_, None) => RIGHT,
            (_, Some(to)) => self.axis.x(to),
        };
        (x.min(RIGHT - 4.0), (ends - x).max(4.0))
    }
}

fn answer_words(proof: &Proof) -> String {
    match (&proof.answered, &proof.error) {
        (Some(answered), _) => format!("by {}", clipped(answered, 60)),
        (None, Some(error)) => clipped(error, 60),
        (None, None) => String::new(),
    }
}
