//! `w(KEY,VALUE,SESSION,TRANSACTION)`: the text of Plume, AWDIT and PolySI.

use super::super::EventType;
use super::super::batch::Batch;
use super::super::json::each_line;
use super::super::notation::{Notation, Problem, Progress};
use super::{ABORTED, Access, Line, OpenTransaction};

/// A line an access, with the number of its transaction.
pub(in super::super) struct Numbered;

impl Notation for Numbered {
    type State = ();

    const UNIT: &'static str = "a transaction";

    fn beginning(&self) {}

    fn read(&self, text: &str, (): (), more: bool, batch: &mut Batch) -> Progress<()> {
        let mut open: Option<OpenTransaction> = None;
        let progress = each_line(text, more, |line, at| {
            let (access, session, number) = access(line)?;
            if !open.as_ref().is_some_and(|open| open.session == session && open.number == number && number.is_some()) {
                end(&mut open, batch);
            }
            let transaction = open.get_or_insert_with(|| OpenTransaction::begin(at, session, number, batch));
            transaction.add(&access, Some("0"), batch);
            Ok(())
        });
        if more || progress.stopped.is_some() {
            // Lines of the same transaction may follow.
            return Progress { consumed: open.map_or(progress.consumed, |open| open.at), ..progress };
        }
        end(&mut open, batch);
        progress
    }
}

fn end(open: &mut Option<OpenTransaction>, batch: &mut Batch) {
    if let Some(open) = open.take() {
        let event_type = if open.number.is_some() { EventType::Ok } else { EventType::Fail };
        open.end(event_type, batch);
    }
}

const EXPECTED: &str =
    "`r(KEY,VALUE,SESSION,TRANSACTION)` or `w(KEY,VALUE,SESSION,TRANSACTION)`, all of them whole numbers from 0";
const SESSION: &str = "a session: a whole number from 0 to 4294967295";
const TRANSACTION: &str = "a transaction: a whole number from 0 that fits into 64 bits, or -1 if it was aborted";

/// What a line says, its session, and its transaction if that was not aborted.
fn access(line: &str) -> Result<(Access<'_>, u32, Option<u64>), Problem> {
    let mut line = Line { text: line, at: 0 };
    let word = line.word(EXPECTED)?;
    line.expect(b'(', EXPECTED)?;
    let key = line.number(false, EXPECTED)?;
    line.expect(b',', EXPECTED)?;
    let value = line.number(false, EXPECTED)?;
    line.expect(b',', EXPECTED)?;
    let at = line.at;
    let session = line.number(false, SESSION)?.parse();
    let session = session.map_err(|_| Line { text: line.text, at }.problem(SESSION))?;
    line.expect(b',', EXPECTED)?;
    let at = line.at;
    let transaction = line.number(true, TRANSACTION)?;
    let number = match transaction {
        ABORTED => None,
        number => Some(number.parse().map_err(|_| Line { text: line.text, at }.problem(TRANSACTION))?),
    };
    line.expect(b')', EXPECTED)?;
    line.end("nothing behind `)`, and each access on a line of its own")?;
    Ok((Access { word, key, value }, session, number))
}
