//! Time on the x axis of the picture.

use super::shapes::{Tick, px};
use super::{LEFT, RIGHT};
use crate::page::text::seconds;

/// Time on the x axis.
pub struct Axis {
    /// Nanoseconds at the left edge.
    pub from: f64,
    /// Nanoseconds at the right edge.
    pub to: f64,
}

impl Axis {
    /// Where a moment stands; those outside stand at the edges.
    pub fn x(&self, time: u64) -> f64 {
        let share = (time as f64 - self.from) / (self.to - self.from);
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// Whether any of a stretch is in sight.
    pub fn shows(&self, from: u64, to: u64) -> bool {
        from as f64 <= self.to && to as f64 >= self.from
    }

    /// Round moments, 90 pixels apart or more.
    pub fn ticks(&self) -> Vec<Tick> {
        let span = self.to - self.from;
        let most = ((RIGHT - LEFT) / 90.0).floor();
        let mut step = 1_000_000.0;
        for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(60) {
            if span / step <= most {
                break;
            }
            step *= factor;
        }
        let first = (self.from / step).ceil() as u64;
        let last = (self.to / step).floor() as u64;
        (first..=last)
            .map(|n| {
                let time = (n as f64 * step) as u64;
                let x = self.x(time);
                let anchor = if x > RIGHT - 20.0 { "end" } else { "middle" };
                Tick { x: px(x), text: seconds(time), anchor }
            })
            .collect()
    }
}
