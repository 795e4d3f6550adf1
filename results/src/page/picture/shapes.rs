//! The shapes that `picture.html` writes, every length already in words.

use askama::Template;

#[derive(Template)]
#[template(path = "picture.html")]
pub struct Picture {
    pub width: String,
    pub height: String,
    pub left: String,
    pub right: String,
    pub plot_width: String,
    pub title: &'static str,
    pub summary: String,
    /// Whether the patterns that fill operations and nodes are in this picture, or in one before it.
    pub patterns: bool,
    pub strips: Vec<Strip>,
    pub tints: Vec<Rect>,
    pub edges: Vec<Line>,
    pub ticks: Vec<Tick>,
    pub lanes: Vec<Label>,
    pub bars: Vec<Bar>,
    pub arrows: Vec<Arrow>,
    pub density: Vec<Rect>,
    pub density_label: Option<Label>,
    pub marks: Vec<Line>,
    pub axis: String,
    pub axis_label: String,
    pub bottom: String,
}

pub struct Label {
    pub y: String,
    pub text: String,
}

pub struct Strip {
    pub label: Label,
    pub middle: String,
    pub bands: Vec<Rect>,
}

/// A rectangle with a class, and text that stands in it or beside it.
pub struct Rect {
    pub class: &'static str,
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
    pub text: String,
    pub text_x: String,
    pub text_y: String,
    pub title: String,
}

pub struct Line {
    pub class: &'static str,
    pub x: String,
    pub top: String,
    pub bottom: String,
    pub text: String,
    pub text_x: String,
    pub text_y: String,
    pub anchor: &'static str,
}

pub struct Tick {
    pub x: String,
    pub text: String,
    pub anchor: &'static str,
}

pub struct Bar {
    pub outcome: &'static str,
    pub letter: String,
    pub letter_x: String,
    pub letter_y: String,
    pub words: String,
    pub words_x: String,
    pub x: String,
    pub y: String,
    pub width: String,
    pub answered: String,
    pub answered_x: String,
    pub answered_y: String,
    pub badge_x: String,
    pub badge_y: String,
    pub badge_width: String,
    pub title: String,
    pub index: u64,
}

/// What must come before what.
pub struct Arrow {
    pub class: &'static str,
    pub mark: String,
    pub title: String,
    /// The line, from the one operation to the other.
    pub line: String,
    pub tip: String,
    pub start_x: String,
    pub start_y: String,
    pub label: String,
    pub label_x: String,
    pub label_y: String,
    pub plate_x: String,
    pub plate_y: String,
    pub plate_width: String,
}

impl Rect {
    pub fn empty() -> Rect {
        Rect {
            class: "",
            x: String::new(),
            y: String::new(),
            width: String::new(),
            height: String::new(),
            text: String::new(),
            text_x: String::new(),
            text_y: String::new(),
            title: String::new(),
        }
    }
}

/// A length in the units of the picture.
pub fn px(length: f64) -> String {
    format!("{length:.1}")
}
