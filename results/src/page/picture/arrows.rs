//! The arrows of a picture: from the end of the operation that comes first to the beginning of the one that comes after it.
//!
//! ```text
//!   forward   A [====]●──╮                 backward    A [====]●╮
//!                        ╰──▶[==] B              ╭──────────────╯
//!                                             B  ╰▶[==]
//! ```
//!
//! Arrows lie below bars and words. A backward one runs between two rows, where there are no words. An operation whose end is not known is left
//! at its lower or upper edge. Each arrow carries the number of its sentence and its kind, where that covers least.

use super::bars::{Area, BAR, Place, WIDE_ROW};
use super::shapes::{Arrow, px};
use super::{LEFT, RIGHT, SMALL_CHARACTER};
use crate::page::cycle::EdgeRow;

type Point = (f64, f64);

/// From a middle of a row to the middle of the gap below it.
const GAP: f64 = WIDE_ROW / 2.0;
/// Closer than this, a forward arrow has no room to bend.
const NEAR: f64 = 36.0;

/// The arrows of the edges whose two ends are in the picture.
pub fn between(places: &[Place], edges: &[EdgeRow]) -> Vec<Arrow> {
    let find = |index: u64| places.iter().position(|place| place.index == index);
    let joined: Vec<(usize, usize, &EdgeRow)> =
        edges.iter().filter_map(|edge| Some((find(edge.from.index)?, find(edge.to.index)?, edge))).collect();
    let ends: Vec<(usize, usize)> = joined.iter().map(|(from, to, _)| (*from, *to)).collect();
    let mut channels = Channels::default();
    let routes: Vec<Route> = (0..joined.len()).map(|n| Route::of(n, places, &ends, &mut channels)).collect();
    let mut plates: Vec<Area> = Vec::new();
    let mut arrows = Vec::with_capacity(joined.len());
    for (n, (from, to, edge)) in joined.iter().enumerate() {
        let label = format!("{} {}", edge.number, edge.kind);
        let width = 8.0 + SMALL_CHARACTER * label.chars().count() as f64;
        let (x, y) = routes[n].quietest(width, n, places, &plates, &routes);
        plates.push(Area::around((x, y), width));
        let route = &routes[n];
        let (start, [one, two, three]) = (route.start(), route.tip());
        arrows.push(Arrow {
            class: edge.class,
            mark: edge.mark.clone(),
            title: format!("{} before {} ({}): {}", places[*from].letter, places[*to].letter, edge.kind, edge.reason),
            line: route.line(),
            tip: format!("M{}L{}L{}Z", pair(one), pair(two), pair(three)),
            start_x: px(start.0),
            start_y: px(start.1),
            label,
            label_x: px(x),
            label_y: px(y + 4.0),
            plate_x: px(x - width / 2.0),
            plate_y: px(y - 7.0),
            plate_width: px(width),
        });
    }
    arrows
}

fn pair((x, y): Point) -> String {
    format!("{} {}", px(x), px(y))
}

impl Area {
    fn around((x, y): Point, width: f64) -> Area {
        Area { left: x - width / 2.0, top: y - 7.0, right: x + width / 2.0, bottom: y + 7.0 }
    }
}

/// The gaps between rows through which arrows run, so that no two run on one line.
#[derive(Default)]
struct Channels(Vec<f64>);

impl Channels {
    /// A line in the gap around a height.
    fn take(&mut self, middle: f64) -> f64 {
        let taken = self.0.iter().filter(|other| (**other - middle).abs() < 4.0).count();
        self.0.push(middle);
        middle + [-3.0, 4.0, -9.0][taken % 3]
    }
}

/// Cubic curves, each from the end of the one before it.
struct Route {
    curves: Vec<[Point; 4]>,
}

impl Route {
    /// The way of the nth edge. Those that leave or reach one operation keep some pixels apart.
    fn of(n: usize, places: &[Place], ends: &[(usize, usize)], channels: &mut Channels) -> Route {
        let (from, to) = (&places[ends[n].0], &places[ends[n].1]);
        let leaving: Vec<usize> = (0..ends.len()).filter(|&m| ends[m].0 == ends[n].0).collect();
        let reaching: Vec<usize> = (0..ends.len()).filter(|&m| ends[m].1 == ends[n].1).collect();
        let goal = (to.left - 1.0, to.middle + apart(n, &reaching));
        let side = if goal.1 < from.middle - 1.0 { -1.0 } else { 1.0 };
        let bend = 26.0 + 6.0 * (n % 3) as f64;
        let middle_of_gap = from.middle + side * GAP;
        if from.open {
            // Its end is at no known moment: the arrow leaves beside its words, straight up or down.
            let words = from.covers[0].right.max(from.covers[2].right);
            let x = (words + 14.0 + 10.0 * (n % 3) as f64).clamp(from.left + 4.0, RIGHT - 10.0);
            let start = (x, from.middle + side * (BAR / 2.0 + 2.0));
            if goal.0 - x > NEAR {
                let down = (x, (start.1 + goal.1) / 2.0);
                return Route { curves: vec![[start, down, (goal.0 - bend, goal.1), goal]] };
            }
            let gap = channels.take(middle_of_gap);
            let corner = (x - 14.0, gap);
            let mut curves = vec![[start, (x, gap), (x, gap), corner]];
            curves.extend(back(corner, goal, bend));
            return Route { curves };
        }
        let start = (from.right + 2.0, from.middle + apart(n, &leaving));
        let room = goal.0 - start.0;
        let same_row = (from.middle - to.middle).abs() < 1.0;
        let blocked = same_row
            && places.iter().any(|place| {
                (place.middle - from.middle).abs() < 1.0 && place.left > from.left && place.right < to.left
            });
        let mut curves = Vec::new();
        if room < 0.0 - NEAR / 2.0 || (same_row && room < 6.0) {
            let gap = channels.take(middle_of_gap);
            curves.push([start, (start.0 + bend, start.1), (start.0 + bend, gap), (start.0, gap)]);
            curves.extend(back((start.0, gap), goal, bend));
        } else if blocked {
            let depth = GAP * 4.0 / 3.0;
            curves.push([start, (start.0 + bend, start.1 + depth), (goal.0 - bend, goal.1 + depth), goal]);
        } else {
            let bend = if same_row { room / 3.0 } else { (room * 0.45).clamp(bend, 140.0) };
            curves.push([start, (start.0 + bend, start.1), (goal.0 - bend, goal.1), goal]);
        }
        Route { curves }
    }

    fn start(&self) -> Point {
        self.curves[0][0]
    }

    fn goal(&self) -> Point {
        self.curves[self.curves.len() - 1][3]
    }

    fn line(&self) -> String {
        let mut line = format!("M{}", pair(self.start()));
        for [_, one, two, three] in &self.curves {
            line.push_str(&format!("C{} {} {}", pair(*one), pair(*two), pair(*three)));
        }
        line
    }

    /// The triangle at its end, in the direction in which it arrives.
    fn tip(&self) -> [Point; 3] {
        let [_, _, before, (x, y)] = self.curves[self.curves.len() - 1];
        let (dx, dy) = (x - before.0, y - before.1);
        let length = dx.hypot(dy).max(0.01);
        let (dx, dy) = (dx / length, dy / length);
        let foot = (x - 8.0 * dx, y - 8.0 * dy);
        [(x, y), (foot.0 - 4.0 * dy, foot.1 + 4.0 * dx), (foot.0 + 4.0 * dy, foot.1 - 4.0 * dx)]
    }

    fn points(&self) -> Vec<Point> {
        const STEPS: usize = 24;
        let at = |[a, b, c, d]: &[Point; 4], t: f64| {
            let u = 1.0 - t;
            let mix = |a: f64, b: f64, c: f64, d: f64| {
                u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d
            };
            (mix(a.0, b.0, c.0, d.0), mix(a.1, b.1, c.1, d.1))
        };
        self.curves
            .iter()
            .flat_map(|curve| (0..=STEPS).map(move |step| at(curve, step as f64 / STEPS as f64)))
            .collect()
    }

    /// Where on the way a label covers least; of equal places the one nearest to the middle.
    fn quietest(&self, width: f64, own: usize, places: &[Place], plates: &[Area], routes: &[Route]) -> Point {
        let points = self.points();
        let (start, goal) = (self.start(), self.goal());
        let others: Vec<Point> =
            routes.iter().enumerate().filter(|(n, _)| *n != own).flat_map(|(_, route)| route.points()).collect();
        let cost = |point: &Point| {
            let area = Area::around(*point, width);
            let covered: f64 = places.iter().flat_map(|place| &place.covers).map(|cover| cover.shared(&area)).sum();
            let plates: f64 = plates.iter().map(|plate| plate.shared(&area)).sum();
            let crossed = others.iter().filter(|other| area.holds(**other)).count() as f64;
            let outside = (LEFT - area.left).max(0.0) + (area.right - RIGHT).max(0.0);
            let ends = [start, goal].iter().filter(|end| area.holds(**end)).count() as f64;
            let off = (point.0 - (start.0 + goal.0) / 2.0).hypot(point.1 - (start.1 + goal.1) / 2.0);
            2.0 * covered + 8.0 * plates + 12.0 * crossed + 40.0 * outside + 200.0 * ends + 0.1 * off
        };
        // Beside a short arrow rather than over all of it.
        let beside = points.iter().flat_map(|&(x, y)| [(x, y - 13.0), (x, y + 13.0)]);
        let on = points.iter().map(|point| (*point, cost(point)));
        let all = on.chain(beside.map(|point| (point, cost(&point) + 30.0)));
        all.min_by(|(_, one), (_, other)| one.total_cmp(other)).map_or(start, |(point, _)| point)
    }
}

/// From a corner in the gap between two rows, along it, and into the goal from the left.
fn back(corner: Point, goal: Point, bend: f64) -> [[Point; 4]; 2] {
    let turn = (goal.0, corner.1);
    let third = (turn.0 - corner.0) / 3.0;
    let along = [corner, (corner.0 + third, corner.1), (turn.0 - third, turn.1), turn];
    [along, [turn, (turn.0 - bend, turn.1), (goal.0 - bend, goal.1), goal]]
}

/// How far from the middle of a bar the nth edge stands, among those at the same end of it.
fn apart(n: usize, all: &[usize]) -> f64 {
    let place = all.iter().position(|&one| one == n).unwrap_or(0) as f64;
    let step = (BAR - 2.0) / (all.len() as f64).max(2.0);
    (place - (all.len() as f64 - 1.0) / 2.0) * step
}
