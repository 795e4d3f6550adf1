//! `w KEY VALUE` between lines of `-` and `=`: AWDIT's `test` text.

use super::super::EventType;
use super::super::batch::Batch;
use super::super::json::each_line;
use super::super::notation::{Notation, Problem, Progress};
use super::{Access, Line, OpenTransaction};

/// A line an access, with lines that are drawn between transactions and between sessions.
pub(in super::super) struct Ruled;

/// The session and the transaction that come next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct State {
    session: u32,
    transaction: u64,
}

impl Notation for Ruled {
    type State = State;

    const UNIT: &'static str = "a transaction";

    fn beginning(&self) -> State {
        State::default()
    }

    fn read(&self, text: &str, mut state: State, more: bool, batch: &mut Batch) -> Progress<State> {
        let mut open: Option<OpenTransaction> = None;
        let mut ruled_off = 0;
        let progress = each_line(text, more, |line, at| {
            let rule = line.trim_ascii_start();
            let is_session = rule.bytes().all(|byte| byte == b'=');
            if is_session || rule.bytes().all(|byte| byte == b'-') {
                state.transaction += u64::from(end(&mut open, batch));
                state.session += u32::from(is_session);
                ruled_off = at + line.len();
                return Ok(());
            }
            let access = access(line)?;
            let State { session, transaction } = state;
            let transaction = open.get_or_insert_with(|| OpenTransaction::begin(at, session, Some(transaction), batch));
            transaction.add(&access, None, batch);
            Ok(())
        });
        let Progress { mut consumed, stopped, .. } = progress;
        if more || stopped.is_some() {
            consumed = open.map_or(ruled_off, |open| open.at);
        } else {
            state.transaction += u64::from(end(&mut open, batch));
        }
        Progress { consumed, state, stopped }
    }
}

/// Whether there was a transaction to end.
fn end(open: &mut Option<OpenTransaction>, batch: &mut Batch) -> bool {
    open.take().map(|open| open.end(EventType::Ok, batch)).is_some()
}

const EXPECTED: &str = "`r KEY VALUE` or `w KEY VALUE` in whole numbers from 0, or a line of `-` between transactions or of `=` \
     between sessions";

fn access(line: &str) -> Result<Access<'_>, Problem> {
    let mut line = Line { text: line, at: 0 };
    let word = line.word(EXPECTED)?;
    let key = line.number(false, EXPECTED)?;
    if !line.text[line.at..].starts_with([' ', '\t']) {
        return Err(line.problem(EXPECTED));
    }
    let value = line.number(false, EXPECTED)?;
    line.end("the end of the line, and each access on a line of its own")?;
    Ok(Access { word, key, value })
}
