//! The picture of the first screen: operations on true time, between the faults and the roles of the same moments.
//!
//! ```text
//!   partition |        [ n1 | n2 n3 ==============]
//!   n1        |[ leads term 2 ====================]
//!   n2        |            [ leads term 3 ========]
//!   p1        |   A write 7=5 ok [=====]
//!   p3        |                      B read 7=4 ok [=]
//!             0.640       0.800         1.000
//! ```
//!
//! Drawn here as plain SVG, so that it is there before any script runs and where none may.

mod arrows;
mod axis;
mod bars;
mod shapes;

use askama::Template;
use shakedown_checkers::History;

use self::axis::Axis;
use self::shapes::{Label, Line, Picture, Rect, Strip, px};
use super::cycle::EdgeRow;
use super::roles::{Band, State};
use super::text::{clipped, seconds};
use super::witness::Witness;
use crate::record::{FaultRecord, RunRecord, ZoneRecord};

const WIDTH: f64 = 880.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 1.0;
const STRIP: f64 = 18.0;
const AXIS: f64 = 22.0;
const DENSITY: f64 = 46.0;
/// More operations than this are not drawn here; the timeline has them.
pub const OPERATIONS: usize = 40;
/// More strips of faults than this are folded into one that says so.
const FAULT_STRIPS: usize = 5;
/// The mean widths of a character, measured in the fonts that the style asks for and rounded up.
const CHARACTER: f64 = 7.3;
const SMALL_CHARACTER: f64 = 6.4;

/// What a picture shows beside the operations.
pub struct Scene<'a> {
    /// The run.
    pub record: &'a RunRecord,
    /// What the nodes were.
    pub bands: &'a [(&'a str, Vec<Band<'a>>)],
    /// The end of the run.
    pub end: u64,
    /// Whether it is the first picture of its page: that one holds the patterns of all.
    pub first: bool,
}

/// The picture of a witness, with the values that must have been there and what must come before what.
pub fn of_witness(scene: &Scene<'_>, witness: &Witness, zones: &[ZoneRecord], edges: &[EdgeRow]) -> String {
    let Scene { record, end, .. } = *scene;
    let span = (witness.to - witness.from).max(4_000_000) as f64;
    let from = (witness.from as f64 - span * 0.06).max(0.0);
    let axis = Axis { from, to: witness.to as f64 + span * 0.06 };
    let mut canvas = Canvas::begin(axis, scene, &witness.faults(&record.applied_faults));
    canvas.zones(zones, end);
    let proofs = &witness.proofs[..witness.proofs.len().min(OPERATIONS)];
    let places = canvas.lanes(proofs, !edges.is_empty());
    canvas.picture.arrows = arrows::between(&places, edges);
    if let Some(at) = witness.at.filter(|_| witness.proofs.is_empty()) {
        let anchor = if canvas.axis.x(at) > RIGHT - 120.0 { "end" } else { "start" };
        canvas.mark("moment", at, &seconds(at), anchor);
        canvas.y += 20.0;
    }
    let title = match (proofs.is_empty(), edges.is_empty()) {
        (true, _) => "The cluster around the moment",
        (false, true) => "The operations that prove it, on the time of the run",
        (false, false) => "The operations that prove it, and what must come before what",
    };
    let mut said: Vec<String> = proofs.iter().map(|proof| format!("{} {}", proof.letter, proof.short)).collect();
    said.extend(edges.iter().map(|edge| format!("{} before {} ({})", edge.from.name, edge.to.name, edge.kind)));
    said.push(format!("from {} to {} s", seconds(witness.from), seconds(witness.to)));
    canvas.finish(title, format!("{}.", said.join("; ")))
}

/// The picture of a whole run: what clients got while faults and roles came and went.
pub fn of_run(scene: &Scene<'_>, history: &History) -> String {
    let Scene { record, end, .. } = *scene;
    let axis = Axis { from: 0.0, to: end.max(1_000_000) as f64 };
    let faults: Vec<&FaultRecord> = record.applied_faults.iter().filter(|fault| fault.began.is_some()).collect();
    let mut canvas = Canvas::begin(axis, scene, &faults);
    canvas.mark("phase", record.phases.healed, "healed", "end");
    if let Some(recovered) = record.phases.recovered {
        canvas.mark("phase", recovered, "recovered", "start");
    }
    canvas.y += 16.0;
    canvas.density(history);
    let summary = format!("{} s: faults, roles of the nodes, and operations by outcome.", seconds(end));
    canvas.finish("The whole run", summary)
}

struct Canvas {
    axis: Axis,
    y: f64,
    strips_end: f64,
    picture: Picture,
}

impl Canvas {
    fn begin(axis: Axis, scene: &Scene<'_>, faults: &[&FaultRecord]) -> Canvas {
        let picture = Picture {
            width: px(WIDTH),
            height: String::new(),
            left: px(LEFT),
            right: px(RIGHT),
            plot_width: px(RIGHT - LEFT),
            title: "",
            summary: String::new(),
            patterns: scene.first,
            strips: Vec::new(),
            tints: Vec::new(),
            edges: Vec::new(),
            ticks: axis.ticks(),
            lanes: Vec::new(),
            bars: Vec::new(),
            arrows: Vec::new(),
            density: Vec::new(),
            density_label: None,
            marks: Vec::new(),
            axis: String::new(),
            axis_label: String::new(),
            bottom: String::new(),
        };
        let mut canvas = Canvas { axis, y: 2.0, strips_end: 0.0, picture };
        canvas.faults(faults, scene.end);
        canvas.roles(scene.record, scene.bands);
        canvas.strips_end = canvas.y;
        canvas.y += 6.0;
        canvas
    }

    /// A strip for each fault; those of one kind share a strip as long as they do not overlap.
    fn faults(&mut self, faults: &[&FaultRecord], end: u64) {
        let mut strips: Vec<(&str, Vec<&FaultRecord>)> = Vec::new();
        let until = |fault: &FaultRecord| fault.ended.unwrap_or(end);
        for fault in faults {
            let free = strips.iter_mut().find(|(kind, on)| {
                *kind == fault.kind
                    && on.iter().all(|other| {
                        Some(until(other)) <= fault.began || fault.ended.is_some_and(|ended| Some(ended) <= other.began)
                    })
            });
            match free {
                Some((_, on)) => on.push(fault),
                None => strips.push((&fault.kind, vec![fault])),
            }
        }
        let folded = strips.len().saturating_sub(FAULT_STRIPS);
        for (kind, faults) in strips.iter().take(FAULT_STRIPS) {
            let bands = faults
                .iter()
                .filter_map(|fault| Some((fault.began?, until(fault), *fault)))
                .filter(|(began, ended, _)| self.axis.shows(*began, *ended))
                .map(|(began, ended, fault)| self.band("fault", began, ended, &fault.description))
                .collect();
            self.strip(kind, bands);
        }
        if folded > 0 {
            let more = strips.iter().skip(FAULT_STRIPS).flat_map(|(_, faults)| faults);
            let bands = more
                .filter_map(|fault| Some((fault.began?, until(fault), *fault)))
                .map(|(began, ended, fault)| {
                    self.band("fault", began, ended, &format!("{} {}", fault.kind, fault.description))
                })
                .map(|band| Rect { text: String::new(), ..band })
                .collect();
            self.strip(&format!("{folded} more"), bands);
        }
        for fault in faults {
            let Some(began) = fault.began else { continue };
            for (time, inside) in
                [(began, began as f64 > self.axis.from), (until(fault), (until(fault) as f64) < self.axis.to)]
            {
                if inside {
                    self.picture.edges.push(self.line("edge fault-edge", time));
                }
            }
            let (x, width) = self.extent(began, until(fault));
            self.picture.tints.push(Rect { class: "tint", x: px(x), y: px(self.y), width: px(width), ..Rect::empty() });
        }
    }

    /// A strip for each value that must, or could, have been there.
    fn zones(&mut self, zones: &[ZoneRecord], end: u64) {
        for zone in zones {
            let (from, to) = (zone.from.unwrap_or(0), zone.to.unwrap_or(end));
            let (class, words) = match zone.forward {
                true => ("zone", "all the time"),
                false => ("zone some", "at one instant"),
            };
            let band = self.band(class, from, to, words);
            let title = zone.sentence.clone();
            self.strip(&format!("= {}", clipped(&zone.value, 10)), vec![Rect { title, ..band }]);
        }
        if !zones.is_empty() {
            self.y += 4.0;
        }
    }

    /// A strip for each node that was anything but usual.
    fn roles(&mut self, record: &RunRecord, bands: &[(&str, Vec<Band<'_>>)]) {
        let several = record.nodes.len() > 1;
        for (node, bands) in bands {
            let shown: Vec<&Band<'_>> =
                bands.iter().filter(|band| self.axis.shows(band.from, band.to) && band.from < band.to).collect();
            let telling = |band: &&Band<'_>| !matches!(band.state, State::Up | State::Usual(_));
            if several && !shown.iter().any(telling) {
                continue;
            }
            for band in
                shown.iter().filter(|band| matches!(band.state, State::Holds(_)) && band.from as f64 > self.axis.from)
            {
                self.picture.edges.push(self.line("edge leader-edge", band.from));
            }
            let rects = shown
                .into_iter()
                .map(|band| {
                    let words = match band.epoch {
                        Some(epoch) => format!("{}, {epoch}", band.state.word()),
                        None => band.state.word(),
                    };
                    self.band(band.state.class(), band.from, band.to, &words)
                })
                .collect();
            self.strip(node, rects);
        }
    }

    fn strip(&mut self, label: &str, bands: Vec<Rect>) {
        let top = self.y;
        self.picture.strips.push(Strip {
            label: Label { y: px(top + 12.5), text: clipped(label, 12) },
            middle: px(top + STRIP / 2.0),
            bands,
        });
        self.y += STRIP;
    }

    fn extent(&self, from: u64, to: u64) -> (f64, f64) {
        let (left, right) = (self.axis.x(from), self.axis.x(to));
        let left = left.min(RIGHT - 1.5);
        (left, (right - left).max(1.5))
    }

    fn band(&self, class: &'static str, from: u64, to: u64, words: &str) -> Rect {
        let (x, width) = self.extent(from, to);
        let room = ((width - 8.0) / SMALL_CHARACTER).floor().max(0.0) as usize;
        let text = if room >= 3 { clipped(words, room) } else { String::new() };
        Rect {
            class,
            x: px(x),
            y: px(self.y + 1.5),
            width: px(width),
            height: px(STRIP - 3.0),
            text,
            text_x: px(x + 4.0),
            text_y: px(self.y + 12.8),
            title: format!("{} {}..{} s", clipped(words, 200), seconds(from), seconds(to)),
        }
    }

    fn line(&self, class: &'static str, time: u64) -> Line {
        Line {
            class,
            x: px(self.axis.x(time)),
            top: px(2.0),
            bottom: String::new(),
            text: String::new(),
            text_x: String::new(),
            text_y: String::new(),
            anchor: "start",
        }
    }

    /// A line through everything, named below the strips to its left (`end`) or right (`start`).
    fn mark(&mut self, class: &'static str, time: u64, text: &str, anchor: &'static str) {
        let x = self.axis.x(time);
        self.picture.marks.push(Line {
            text: text.to_owned(),
            text_x: px(if anchor == "end" { x - 4.0 } else { x + 4.0 }),
            text_y: px(self.strips_end + 14.0),
            anchor,
            ..self.line(class, time)
        });
    }

    /// How many operations ended when and how, in slices of the run.
    fn density(&mut self, history: &History) {
        const SLICES: usize = 160;
        let mut counts = [[0_u32; 3]; SLICES];
        for operation in history.operations() {
            let Some(time) = operation.completed_at().or(operation.invoked_at()) else { continue };
            let slice = (time as f64 / self.axis.to * SLICES as f64) as usize;
            counts[slice.min(SLICES - 1)][operation.outcome() as usize] += 1;
        }
        let most = counts.iter().map(|slice| slice.iter().sum::<u32>()).max().unwrap_or(0);
        let width = (RIGHT - LEFT) / SLICES as f64;
        for (n, slice) in counts.iter().enumerate() {
            let mut bottom = self.y + DENSITY;
            for (count, class) in slice.iter().zip(["ok", "fail", "info"]).filter(|(count, _)| **count > 0) {
                let height = f64::from(*count) / f64::from(most) * (DENSITY - 4.0);
                bottom -= height;
                self.picture.density.push(Rect {
                    class,
                    x: px(LEFT + n as f64 * width),
                    y: px(bottom),
                    width: px(width - 0.5),
                    height: px(height),
                    ..Rect::empty()
                });
            }
        }
        self.picture.density_label = Some(Label { y: px(self.y + DENSITY - 4.0), text: "operations".to_owned() });
        self.y += DENSITY + 2.0;
    }

    fn finish(mut self, title: &'static str, summary: String) -> String {
        let bottom = self.y + 3.0;
        let picture = &mut self.picture;
        for line in picture.edges.iter_mut().chain(&mut picture.marks) {
            line.bottom = px(bottom);
        }
        for tint in &mut picture.tints {
            let top: f64 = tint.y.parse().unwrap_or(0.0);
            tint.height = px(bottom - top);
        }
        picture.bottom = px(bottom);
        picture.axis = px(bottom + 15.0);
        picture.axis_label = px(bottom + 15.0);
        picture.height = px(bottom + AXIS);
        (picture.title, picture.summary) = (title, summary);
        self.picture.render().expect("writing to memory does not fail")
    }
}
