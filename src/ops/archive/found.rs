//! What was found in the commands of a file, in the words of its record.

use super::contents::FileRecord;
use crate::command::Tally;

/// Notes in `record` what `tally` counts; `fault` is where the reading could not go on.
pub(super) fn note(record: &mut FileRecord, tally: &Tally, fault: Option<u64>) {
    record.commands = tally.commands;
    record.transactions = tally.transactions.whole;
    (record.first_time, record.last_time) = (tally.times.first, tally.times.last);
    record.damage = match (fault, tally.transactions.open(), tally.transactions.dangling.first()) {
        (Some(at), ..) => Some(format!("its commands cannot be read on from byte {at}")),
        (None, Some(open), _) => {
            Some(format!("the transaction that begins at byte {} is not whole", open.multi))
        }
        (None, None, Some(dangling)) => Some(format!(
            "the transaction that begins at byte {} was never closed",
            dangling.open.multi
        )),
        (None, None, None) => None,
    };
}
