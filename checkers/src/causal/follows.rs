//! **Writes follow reads**: who sees a write sees also what its writer had read before.
//!
//! ```text
//!   p0  ─[ x := 1 ]──[ x := 2 ]─
//!   p1  ─[ x → 2 ]──[ y := 1 ]─
//!   p2  ─[ y → 1 ]──[ x → 1 ]─       broken: y := 1 followed the read of x := 2
//! ```
//!
//! *Method:* causal order is what this guarantee makes; a cycle of it breaks it, and else only a read that breaks causal consistency can.
//! For each of those the newest write that its process had seen of each session is asked: had that session, before it, read a newer
//! write of the key? One walk along causal order carries, for each session and key, the past of all writes of the key that the session
//! has read, and answers.
//!
//! *Cost:* O(n · k) and k questions for each read that breaks causal consistency; some millions of them share a walk.

use rustc_hash::FxHashMap;

use super::clocks::{self, join};
use super::conflict::{broken_reads, cyclic_co};
use super::found::{Found, Step, Why, causal_path};
use super::limits::{Limits, Over};
use super::sessions::{NONE, Node, Sessions};
use super::stopped::Stopped;

/// So many questions are answered in one walk.
const BATCH: usize = 4 << 20;

/// What is asked about a read that breaks causal consistency.
#[derive(Clone, Copy)]
struct Question {
    /// The newest write of a session that the reader's process had seen, and where it had.
    top: Node,
    seen_by: Node,
    reader: Node,
    key: u32,
    source: Node,
}

/// A read that misses what the writer of something seen had read.
pub(super) fn check(sessions: &Sessions, limits: &Limits) -> Result<Option<Found>, Over> {
    match broken(sessions, limits) {
        Ok(found) => Ok(found),
        Err(stopped) => Ok(Some(cyclic_co(sessions, stopped, limits)?)),
    }
}

fn broken(sessions: &Sessions, limits: &Limits) -> Result<Option<Found>, Stopped> {
    let mut suspects = broken_reads(sessions, limits)?;
    suspects.sort_unstable();
    let mut pace = limits.begin("asking what writes had followed", suspects.len());
    let mut questions: Vec<Question> = Vec::new();
    let mut newest: Vec<Option<(Node, Node)>> = vec![None; sessions.count()];
    for own in suspects.chunk_by(|one, other| sessions.session(one.0) == sessions.session(other.0)) {
        newest.fill(None);
        let mut view = sessions.view(sessions.session(own[0].0)).peekable();
        for &(reader, key, source) in own {
            pace.step()?;
            let own = sessions.session(reader);
            // What is in the view of a fork and not its own comes before all that is.
            while let Some(next) = view.next_if(|&next| next <= reader || sessions.session(next) != own) {
                for read in sessions.reads(next).iter().filter(|read| read.source != NONE) {
                    let known = &mut newest[sessions.session(read.source)];
                    if known.is_none_or(|(top, _)| top < read.source) {
                        *known = Some((read.source, next));
                    }
                }
            }
            let seen = newest.iter().flatten();
            questions.extend(seen.map(|&(top, seen_by)| Question { top, seen_by, reader, key, source }));
            if questions.len() >= BATCH {
                if let Some(found) = answer(sessions, &mut questions, limits)? {
                    return Ok(Some(found));
                }
                questions.clear();
            }
        }
    }
    answer(sessions, &mut questions, limits)
}

/// What a session has read of a key up to now, as a clock; the writes themselves are not part of it.
type Known = FxHashMap<(usize, u32), Vec<Node>>;

/// What is in the past of a write, itself not included.
fn without_itself<'a>(sessions: &Sessions, clock: &'a [Node], write: Node) -> impl Iterator<Item = Node> + use<'a> {
    let session = sessions.session(write);
    clock.iter().enumerate().map(move |(at, &end)| if at == session { write } else { end })
}

fn answer(sessions: &Sessions, questions: &mut [Question], limits: &Limits) -> Result<Option<Found>, Stopped> {
    if questions.is_empty() {
        return Ok(None);
    }
    questions.sort_unstable_by_key(|question| (question.top, question.reader));
    let mut is_asked = vec![false; sessions.len()];
    let mut of_interest = vec![false; sessions.keys()];
    for question in questions.iter() {
        is_asked[question.top as usize] = true;
        of_interest[question.key as usize] = true;
    }
    let mut forked = vec![false; sessions.len()];
    sessions.forks.iter().filter(|&&fork| fork != NONE).for_each(|&fork| forked[fork as usize] = true);
    let pace = limits.begin("asking what writes had followed", questions.len());
    let mut known = Known::default();
    let mut broken: Option<Question> = None;
    clocks::walk(sessions, limits, |node, _, clocks| {
        let session = sessions.session(node);
        if is_asked[node as usize] {
            let begin = questions.partition_point(|question| question.top < node);
            for question in questions[begin..].iter().take_while(|question| question.top == node) {
                let Some(past) = known.get(&(session, question.key)) else { continue };
                let source = question.source;
                let is_older = source == NONE || source < past[sessions.session(source)];
                if is_older && broken.is_none_or(|broken| question.reader < broken.reader) {
                    broken = Some(*question);
                }
            }
        }
        for read in sessions.reads(node).iter().filter(|read| read.source != NONE && of_interest[read.key as usize]) {
            let past: Vec<Node> = without_itself(sessions, clocks.of(read.source), read.source).collect();
            match known.entry((session, read.key)) {
                std::collections::hash_map::Entry::Occupied(mut entry) => join(entry.get_mut(), &past),
                std::collections::hash_map::Entry::Vacant(entry) => _ = entry.insert(past),
            }
        }
        if forked[node as usize] {
            // A session that begins here knows what this one has come to know.
            let behind: Vec<usize> = (0..sessions.count()).filter(|&other| sessions.forks[other] == node).collect();
            let so_far: Vec<(u32, Vec<Node>)> = known
                .iter()
                .filter(|((of, _), _)| *of == session)
                .map(|((_, key), past)| (*key, past.clone()))
                .collect();
            for (fork, (key, past)) in behind.iter().flat_map(|&fork| so_far.iter().map(move |known| (fork, known))) {
                known.insert((fork, *key), past.clone());
            }
        }
        pace.afford((known.len() * (size_of::<Node>() * sessions.count() + 48)) as u64)
    })?;
    match broken {
        Some(question) => Ok(Some(explained(sessions, question, limits)?)),
        None => Ok(None),
    }
}

/// The newest write that the session had read before, and that came after what was read.
fn explained(sessions: &Sessions, question: Question, limits: &Limits) -> Result<Found, Stopped> {
    let Question { top, seen_by, reader, key, source } = question;
    let mut followed: Option<(Node, Node)> = None;
    let of_top = sessions.session(top);
    let is_before = |node: Node| sessions.is_in_view(node, of_top) && (node < top || sessions.session(node) != of_top);
    clocks::walk(sessions, limits, |node, _, clocks| {
        if node == top || !is_before(node) {
            return Ok(());
        }
        for read in sessions.reads(node).iter().filter(|read| read.key == key && read.source != NONE) {
            let mut past = without_itself(sessions, clocks.of(read.source), read.source);
            if source == NONE || past.nth(sessions.session(source)).is_some_and(|end| source < end) {
                followed = Some((read.source, node));
            }
        }
        Ok(())
    })?;
    let (writer, followed) = followed.expect("so the question was answered");
    let via = sessions.reads(seen_by).iter().find(|read| read.source == top).map_or(key, |read| read.key);
    let mut cycle = vec![
        Step { from: writer, to: followed, why: Why::Reads { key } },
        Step { from: followed, to: top, why: Why::Process },
        Step { from: top, to: seen_by, why: Why::Reads { key: via } },
    ];
    if seen_by != reader {
        cycle.push(Step { from: seen_by, to: reader, why: Why::Process });
    }
    cycle.push(Step { from: reader, to: writer, why: Why::Overwrites { key } });
    let is_known = source != NONE;
    let support = if is_known { causal_path(sessions, source, writer).unwrap_or_default() } else { Vec::new() };
    let beside = if is_known { vec![source] } else { Vec::new() };
    Ok(Found { name: "writes-follow-reads", cycle, support, beside })
}
