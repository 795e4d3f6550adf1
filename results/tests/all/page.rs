//! What a reader of a page sees, and what a page never does.

use crate::fixtures;

use crate::fixtures::Fixture;
use serde_json::Value as Json;
use shakedown_results::index::{Again, render_index};

/// The text of the first screen: all that stands before the timeline.
fn first_screen(html: &str) -> &str {
    let from = html.find("<main>").unwrap();
    let to = html.find("id=\"timeline\" aria").unwrap();
    &html[from..to]
}

fn payload(html: &str) -> Json {
    let opening = "<script type=\"application/json\" id=\"payload\">";
    let from = html.find(opening).unwrap() + opening.len();
    let to = from + html[from..].find("</script>").unwrap();
    serde_json::from_str(&html[from..to]).unwrap()
}

fn all() -> Vec<(&'static str, Fixture)> {
    vec![
        ("valid", fixtures::valid()),
        ("invalid", fixtures::invalid()),
        ("unknown", fixtures::unknown()),
        ("panic", fixtures::panicked()),
        ("empty", fixtures::empty()),
        ("hostile", fixtures::hostile()),
    ]
}

#[test]
fn the_first_screen_of_a_failure_names_the_cause() {
    let html = fixtures::invalid().html();
    let screen = first_screen(&html);
    assert!(
        html.contains(
            "<title>INVALID: raft-kv in mode leader-local claims linearizable; it is not (stale read)</title>"
        )
    );
    for seen in [
        "although process 102 had completed writing 5 over it at 0.902 s",
        "<b class=\"letter\">A</b>",
        "<b class=\"letter\">C</b>",
        "write 7=5",
        "0.871..0.902",
        "n2, leader of term 3",
        "by n1, leader of term 2",
        "n1 | n2 n3",
        "0.640..1.400 s",
        "n1 -300 ms",
        "leader, term 2",
        "leader, term 3",
        "After A and B the value is 5, and C read 4.",
        "= 4</text>",
        "4 must have been there all the time from 0.622 s to 1.201 s",
        "= 5</text>",
        "<b class=\"letter refused\">C</b> <bdi>the value is 5, and it read 4</bdi>",
        "shakedown replay results/runs/raft-kv-leader-local-kv-4711",
        "8c1f0e5b77a9d2c4",
        "4711",
        "sequential, monotonic-reads",
        "observed, not claimed: allowed",
    ] {
        assert!(screen.contains(seen), "{seen} is missing");
    }
    assert!(!screen.contains("5 % of all messages"), "a fault that was over or had not begun is not active");
    assert!(!screen.contains("<script"), "the first screen needs no script");
    assert!(screen.contains("<svg"));
}

#[test]
fn the_first_screen_of_a_pass_shows_that_it_could_have_failed() {
    let html = fixtures::valid().html();
    let screen = first_screen(&html);
    for seen in [
        "<b class=\"word\">VALID:</b> raft-kv in mode log claims linearizable; it held",
        "Faults: planned, begun, felt",
        "dropped 812, elections 1",
        "18,211 sent, 17,020 delivered, 1,191 lost",
        "Pairs that overlapped: ",
        "<span class=\"warn\">3 never</span>",
    ] {
        assert!(screen.contains(seen), "{seen} is missing");
    }
    let never = screen.find("a snapshot is installed").unwrap();
    let reached = screen.find("a leader is elected while another still believes").unwrap();
    assert!(never < reached, "what was never reached comes first");
    assert!(html.contains("never began"));
}

#[test]
fn an_undecided_run_says_what_ran_out() {
    let html = fixtures::unknown().html();
    assert!(html.contains("UNKNOWN: raft-kv in mode log claims linearizable; undecided"));
    assert!(first_screen(&html).contains("212 of 340 operations placed; raise --budget"));
}

#[test]
fn a_panic_shows_its_moment_the_faults_and_the_last_words() {
    let html = fixtures::panicked().html();
    let screen = first_screen(&html);
    for seen in [
        "raft-kv in mode log: a node panicked",
        "index 41 is out of range (log.rs:88)",
        "Faults around 2.107 s",
        "The last that was said by then",
        "truncate-below-commit (planted)",
        "class=\"moment\"",
    ] {
        assert!(screen.contains(seen), "{seen} is missing");
    }
    assert!(!screen.contains("The operations that prove it"));
    assert_eq!(payload(&html)["moment"], 2_107);
}

#[test]
fn a_run_in_which_nothing_happened_says_so() {
    let html = fixtures::empty().html();
    assert!(html.contains("There was no operation: nothing was tested."));
    assert!(html.contains("No fault was planned: this run proves little."));
    assert!(html.contains("The nodes said nothing."));
    assert_eq!(payload(&html)["start"], Json::Array(Vec::new()));
}

#[test]
fn the_words_of_others_stay_words() {
    let html = fixtures::hostile().html();
    assert_eq!(html.matches("<script").count(), 2, "the payload and our own script, and nothing else");
    assert_eq!(html.matches("</script").count(), 2);
    assert_eq!(html.matches("</title>").count(), html.matches("<title>").count());
    assert!(!html.contains("<read"));
    assert!(!html.contains("style=\""), "inline styles do not pass the policy");
    for unseen in ['\0', '\u{1b}', '\u{202e}', '\u{2028}'] {
        assert!(!html.contains(unseen), "{unseen:?} stands on the page");
    }
    assert!(html.contains("(10,000 characters in all)"));
    assert!(html.contains("not in the history: #999"));
    assert!(payload(&html)["strings"].as_array().unwrap().len() > 3);
}

#[test]
fn a_page_asks_nothing_of_the_network() {
    for (name, fixture) in all() {
        let html = fixture.html();
        assert!(!html.contains("http://") && !html.contains("https://"), "{name} refers to the network");
        for reference in ["src=", "@import", "<link", "url(http", "url(//", "fetch("] {
            assert!(!html.contains(reference), "{name} has {reference}");
        }
        assert!(html.contains("content=\"default-src &#39;none&#39;; style-src &#39;sha256-"), "{name} has no policy");
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    for (name, fixture) in all() {
        let html = fixture.html();
        assert_eq!(html, fixture.html(), "{name}");
        let elsewhere = Fixture {
            record: shakedown_results::RunRecord {
                seconds: 77.25,
                directory: Some("/somewhere/else".to_owned()),
                ..fixture.record.clone()
            },
            ..fixture
        };
        assert_eq!(html, elsewhere.html(), "{name} tells of the machine");
    }
}

#[test]
fn the_columns_are_the_history() {
    let fixture = fixtures::invalid();
    let columns = payload(&fixture.html());
    let column = |name: &str| -> Vec<i64> {
        columns[name].as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect()
    };
    let (starts, indices, lengths) = (column("start"), column("index"), column("length"));
    assert_eq!(columns["unit"], 1_000_000);
    assert_eq!(starts.len(), fixture.history.len());
    let (mut start, mut index) = (0, 0);
    for (row, operation) in fixture.history.operations().enumerate() {
        start += starts[row];
        index += indices[row];
        assert_eq!(start as u64 * 1_000_000, operation.invoked_at().unwrap());
        assert_eq!(index as u64, operation.index());
        let completed = operation.completed_at().map_or(-1, |at| at as i64 / 1_000_000 - start);
        assert_eq!(lengths[row], completed);
    }
    let witness: Vec<u64> = columns["witnesses"][0]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| indices[..=row.as_u64().unwrap() as usize].iter().sum::<i64>() as u64)
        .collect();
    assert_eq!(witness, fixture.record.anomalies[0].operations);
}

#[test]
fn a_client_that_goes_on_under_a_new_number_keeps_its_line() {
    let columns = payload(&fixtures::valid().html());
    let lanes = columns["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 6);
    for (client, lane) in lanes.iter().enumerate() {
        for process in lane.as_array().unwrap() {
            assert_eq!(process.as_u64().unwrap() % 6, client as u64);
        }
    }
}

#[test]
fn what_is_left_out_is_named_with_the_file_that_has_it() {
    let html = fixtures::invalid().html();
    assert!(html.contains("trace.jsonl holds all 1,647 lines."));
    assert!(html.contains("Left out here: the 200 operations of the clients; plan.json has them."));
    assert!(html.contains("<tr class=\"m\"><td><b class=\"letter\">C</b> 1.203"), "the log is that around the witness");
}

#[test]
fn three_thousand_operations_make_a_small_page() {
    let mut fixture = fixtures::valid();
    let (history, _) = fixtures::history(&fixtures::clients(6, 8_400, 640..1_400, 12));
    assert!((3_000..4_000).contains(&history.len()), "{}", history.len());
    fixture.history = history;
    let html = fixture.html();
    assert!(html.len() < 300_000, "{} bytes", html.len());
}

#[test]
fn a_campaign_shows_failures_first_and_links_the_runs_that_were_kept() {
    let mut records = [fixtures::valid().record, fixtures::unknown().record, fixtures::invalid().record];
    records[2].directory = Some("kept".to_owned());
    let html = render_index(&records, &Again::default());
    assert!(html.contains("3 runs, 1 failed, 1 undecided"));
    let order = ["✗ invalid", "? unknown", "✓ valid"].map(|word| html.find(word).unwrap());
    assert!(order.is_sorted());
    assert!(html.contains("href=\"./raft-kv-leader-local-kv-4711/report.html\""));
    assert!(!html.contains(&format!("href=\"./{}", records[0].run)), "a run that was not kept has no page");
    let never = html.find("a snapshot is installed").unwrap();
    let reached = html.find("a request is retried").unwrap();
    assert!(never < reached);
    assert!(html.contains("<td class=\"right\">123</td>"), "reach is summed over the runs");
    assert_eq!(html, render_index(&records, &Again::default()));
}

#[test]
fn a_campaign_of_nothing_and_one_of_hostile_words_are_pages_too() {
    assert!(render_index(&[], &Again::default()).contains("No runs"));
    let mut record = fixtures::hostile().record;
    record.directory = Some("kept".to_owned());
    let again = Again { command: "shakedown run </script>".to_owned(), options: String::new() };
    let html = render_index(&[record], &again);
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("href=\"./%3C%2Fscript%3E"));
    assert!(!html.contains("http:") && !html.contains("https:"));
}
