//! What is drawn of an anomaly made of edges is what its record says, and nothing else.

use crate::fixtures;

use std::collections::BTreeSet;

use crate::fixtures::Fixture;
use shakedown_results::{AnomalyRecord, letter};

/// What stands between two texts, wherever they follow each other.
fn all_between<'a>(text: &'a str, opening: &str, closing: &str) -> Vec<&'a str> {
    text.split(opening).skip(1).map(|rest| rest.split(closing).next().unwrap()).collect()
}

fn between<'a>(text: &'a str, opening: &str, closing: &str) -> &'a str {
    all_between(text, opening, closing).first().copied().unwrap_or_else(|| panic!("{opening} is not in {text}"))
}

fn number(element: &str, attribute: &str) -> f64 {
    between(element, &format!(" {attribute}=\""), "\"").parse().unwrap()
}

/// The picture of the first anomaly that is drawn with arrows, and its sentences.
struct Drawn<'a> {
    picture: &'a str,
    bars: Vec<Bar<'a>>,
    arrows: Vec<&'a str>,
    plates: Vec<&'a str>,
    sentences: Vec<&'a str>,
}

/// An operation in the picture.
struct Bar<'a> {
    index: u64,
    letter: &'a str,
    open: bool,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl<'a> Bar<'a> {
    fn read(link: &'a str) -> Bar<'a> {
        let rect = between(link, "<rect class=\"operation ", "/>");
        let (left, top) = (number(rect, "x"), number(rect, "y"));
        Bar {
            index: between(link, "href=\"#op=", "\"").parse().unwrap(),
            letter: between(link, "<text class=\"letter\"", "</text>").split('>').next_back().unwrap(),
            open: rect.starts_with("info"),
            left,
            right: left + number(rect, "width"),
            top,
            bottom: top + number(rect, "height"),
        }
    }
}

fn drawn(html: &str) -> Drawn<'_> {
    let pictures = all_between(html, "<svg class=\"picture\"", "</svg>");
    let picture = *pictures.iter().find(|picture| picture.contains("id=\"edge-")).expect("no picture has arrows");
    let links = all_between(picture, "<a ", "</a>");
    let with = |part: &str| -> Vec<&str> { links.iter().copied().filter(|link| link.contains(part)).collect() };
    Drawn {
        picture,
        bars: with("<rect class=\"operation ").into_iter().map(Bar::read).collect(),
        arrows: with(" id=\"edge-"),
        plates: with("class=\"plate\""),
        sentences: all_between(between(html, "<div class=\"edges\">", "</ol>"), "<li ", "</li>"),
    }
}

/// The first and the last point of a path.
fn ends(path: &str) -> [(f64, f64); 2] {
    let numbers: Vec<f64> =
        path.split(['M', 'C', ' ']).filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect();
    [(numbers[0], numbers[1]), (numbers[numbers.len() - 2], numbers[numbers.len() - 1])]
}

fn shown(fixture: &Fixture) -> &AnomalyRecord {
    fixture.record.anomalies.iter().find(|anomaly| !anomaly.explanation.edges.is_empty()).unwrap()
}

/// But for the hostile one, whose last edge leads out of the history.
fn whole() -> impl Iterator<Item = (&'static str, Fixture)> {
    fixtures::edges::all().into_iter().filter(|(name, _)| *name != "hostile-edges")
}

#[test]
fn every_operation_is_drawn_once_with_its_letter() {
    for (name, fixture) in whole() {
        let html = fixture.html();
        let bars: BTreeSet<(u64, String)> =
            drawn(&html).bars.iter().map(|bar| (bar.index, bar.letter.to_owned())).collect();
        let told = shown(&fixture).operations.iter().enumerate().map(|(n, index)| (*index, letter(n)));
        assert_eq!(bars, told.collect(), "{name}");
        assert_eq!(drawn(&html).bars.len(), bars.len(), "{name}");
    }
}

#[test]
fn every_edge_is_drawn_once_and_told_once() {
    for (name, fixture) in whole() {
        let html = fixture.html();
        let (picture, edges) = (drawn(&html), &shown(&fixture).explanation.edges);
        let counts = [picture.arrows.len(), picture.plates.len(), picture.sentences.len()];
        assert_eq!(counts, [edges.len(); 3], "{name}");
        let name_of = |index: u64| picture.bars.iter().find(|bar| bar.index == index).unwrap().letter;
        for (n, edge) in edges.iter().enumerate() {
            let (from, to) = (name_of(edge.from), name_of(edge.to));
            let sentence = picture.sentences[n];
            assert_eq!(all_between(sentence, "<b class=\"letter\">", "</b>"), [from, to], "{name}");
            assert!(sentence.contains(&format!("({})</a>: <bdi>{}</bdi>", edge.kind, edge.reason)), "{sentence}");
            let mark = between(sentence, "data-edge=\"", "\"");
            assert!(sentence.contains(&format!("id=\"reason-{mark}\"")), "{sentence}");
            assert!(sentence.contains(&format!("href=\"#edge-{mark}\"")), "{sentence}");
            let arrow = picture.arrows[n];
            assert!(
                arrow.contains(&format!("class=\"arrow {}\" id=\"edge-{mark}\" href=\"#reason-{mark}\"", edge.kind))
            );
            assert_eq!(between(arrow, "data-edge=\"", "\""), mark, "{name}");
            assert!(arrow.contains(&format!("<title>{from} before {to} ({}): ", edge.kind)), "{arrow}");
            assert!(picture.plates[n].ends_with(&format!(">{} {}</text>", n + 1, edge.kind)), "{}", picture.plates[n]);
        }
    }
}

#[test]
fn arrows_go_from_the_end_of_one_operation_to_the_beginning_of_the_other() {
    for (name, fixture) in whole() {
        let html = fixture.html();
        let picture = drawn(&html);
        let bar = |index: u64| picture.bars.iter().find(|bar| bar.index == index).unwrap();
        for (arrow, edge) in picture.arrows.iter().zip(&shown(&fixture).explanation.edges) {
            let [start, goal] = ends(between(arrow, "<path class=\"line\" d=\"", "\""));
            let (from, to) = (bar(edge.from), bar(edge.to));
            if from.open {
                assert!(from.left <= start.0 && start.0 <= from.right, "{name}: {arrow}");
                assert!((start.1 - from.top).abs().min((start.1 - from.bottom).abs()) <= 3.0, "{name}: {arrow}");
            } else {
                assert!((start.0 - from.right).abs() <= 3.0, "{name}: {arrow}");
                assert!(from.top <= start.1 && start.1 <= from.bottom, "{name}: {arrow}");
            }
            assert!((goal.0 - to.left).abs() <= 3.0, "{name}: {arrow}");
            assert!(to.top <= goal.1 && goal.1 <= to.bottom, "{name}: {arrow}");
            let tip = between(arrow, "<path class=\"tip\" d=\"M", "L");
            assert_eq!(tip, format!("{:.1} {:.1}", goal.0, goal.1), "{name}");
        }
    }
}

#[test]
fn nothing_lies_outside_the_picture_and_no_label_on_another() {
    for (name, fixture) in fixtures::edges::all() {
        let html = fixture.html();
        let picture = drawn(&html);
        let (width, height) = (number(picture.picture, "width"), number(picture.picture, "height"));
        for arrow in &picture.arrows {
            let line = between(arrow, "<path class=\"line\" d=\"", "\"");
            let numbers: Vec<f64> =
                line.split(['M', 'C', ' ']).filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect();
            for point in numbers.chunks(2) {
                assert!(
                    (0.0..=width + 20.0).contains(&point[0]) && (0.0..=height).contains(&point[1]),
                    "{name}: {line}"
                );
            }
        }
        let plates: Vec<[f64; 4]> = picture
            .plates
            .iter()
            .map(|plate| {
                let (x, y) = (number(plate, "x"), number(plate, "y"));
                [x, y, x + number(plate, "width"), y + 14.0]
            })
            .collect();
        for (n, one) in plates.iter().enumerate() {
            assert!(one[0] >= 0.0 && one[2] <= width, "{name}");
            for other in &plates[..n] {
                let apart = one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
                assert!(apart, "{name}: two labels lie on each other");
            }
        }
    }
}

#[test]
fn the_picture_says_in_words_what_it_draws() {
    let html = fixtures::edges::g_single().html();
    let picture = drawn(&html).picture;
    assert!(
        picture.contains("role=\"img\"><title>The operations that prove it, and what must come before what</title>")
    );
    assert!(
        between(picture, "<desc>", "</desc>").contains("A before B (wr); B before C (wr); C before A (rw); from 0.610")
    );
    assert!(html.contains("<b class=\"wr\">wr</b>: the second read what the first wrote"));
    assert!(!html.contains("Why no order of them is legal"), "the sentences of the edges are told once");
    let screen = between(&html, "<main>", "<script");
    assert!(screen.contains("<div class=\"edges\">"), "no script is needed for them");
}

#[test]
fn what_a_mode_does_not_claim_is_drawn_below_the_first_screen() {
    let html = fixtures::edges::observed().html();
    assert!(html.contains("<b class=\"word\">VALID:</b>"));
    let below = between(&html, "<section id=\"seen\"", "<section id=\"timeline\"");
    assert!(below.contains("breaks snapshot-isolation, which is not claimed"));
    assert_eq!(all_between(below, "class=\"arrow wr\" id=\"edge-1-", "\"").len(), 2);
    assert!(below.contains("href=\"#w=1\""));
    assert_eq!(html.matches("id=\"hatch\"").count(), 1, "the pictures share their patterns");
}

#[test]
fn what_held_stands_beside_what_ruled_out_the_next() {
    let fixture = fixtures::edges::g_single();
    let html = fixture.html();
    let row = between(&html, "<ul class=\"above\"", "</ul>");
    let first = shown(&fixture).operations[0];
    let told =
        format!("not <bdi>snapshot-isolation</bdi>: <b><bdi>G-single</bdi></b> <a href=\"#op={first}\">#{first}</a>");
    assert!(row.contains(&told), "{row}");
    assert!(!fixtures::invalid().html().contains("class=\"above\""), "nothing is said where nothing is known");
}

#[test]
fn hostile_reasons_stay_words_and_an_edge_out_of_the_history_is_told_but_not_drawn() {
    let html = fixtures::edges::hostile().html();
    let picture = drawn(&html);
    assert_eq!((picture.arrows.len(), picture.sentences.len()), (3, 4));
    assert!(picture.sentences[3].contains("<b class=\"letter\">#99999</b>"));
    assert!(html.contains("not in the history: #99999"));
    assert!(html.contains("(10,000 characters in all)"));
    assert_eq!(html.matches("<script").count(), 2);
    assert_eq!(html.matches("</script").count(), 2);
    assert_eq!(html.matches("<svg").count(), html.matches("</svg").count());
    assert_eq!(html.matches("</title>").count(), html.matches("<title>").count());
    for unseen in ['\0', '\u{1b}', '\u{202e}', '\u{2028}'] {
        assert!(!html.contains(unseen), "{unseen:?} stands on the page");
    }
}

#[test]
fn a_circle_of_many_transactions_says_what_it_leaves_out() {
    let mut fixture = fixtures::edges::twelve();
    let edges = &mut fixture.record.anomalies[0].explanation.edges;
    *edges = edges.iter().cycle().take(45).cloned().collect();
    let html = fixture.html();
    assert_eq!(drawn(&html).sentences.len(), 40);
    assert!(html.contains("5 more edges are in verdict.json."));
}
