//! RESTORE: a value in the format of DUMP.

use super::apply::{Applied, Call, Unapplied};
use crate::keyspace::from_rdb::Loader;
use crate::rdb::{Dump, DumpFault, KeyEnd};

const BUSY: Unapplied = Unapplied::Failed("BUSYKEY Target key name already exists.");
const BAD_DATA: Unapplied = Unapplied::Failed("ERR Bad data format");
const BAD_FOOTER: Unapplied = Unapplied::Failed("ERR DUMP payload version or checksum are wrong");

impl From<DumpFault> for Unapplied {
    fn from(fault: DumpFault) -> Self {
        match fault {
            DumpFault::Refused => BAD_FOOTER,
            DumpFault::Damaged => BAD_DATA,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Options {
    replace: bool,
    absolute: bool,
}

pub(super) fn restore(call: &mut Call<'_, '_>) -> Applied {
    let options = options(call)?;
    let (key, payload) = (call.key(), call.args[3]);
    if !options.replace && call.db().contains(key) {
        return Err(BUSY);
    }
    let ttl = call.int(2)?;
    if ttl < 0 {
        return Err(Unapplied::Failed("ERR Invalid TTL value, must be >= 0"));
    }
    let dump = Dump::open(payload, call.context.server)?;
    let expires_ms = match ttl {
        0 => None,
        _ if options.absolute => Some(ttl),
        // A time too far in the future wraps around to before 1970, as on the servers.
        _ => Some(ttl.wrapping_add(call.now_ms())),
    };
    let mut loader = Loader::new(call.keyspace, call.context.server, &|_| true);
    let end = dump.read_key(u64::from(call.db), key, expires_ms, &mut loader)?;
    if loader.finish().is_err() {
        return Err(Unapplied::Refused("the entries of a restored stream are out of order"));
    }
    match end {
        KeyEnd::Whole | KeyEnd::Skipped => Ok(()),
        KeyEnd::Empty if call.context.server.has_redis(7, 0) => Err(BAD_DATA),
        KeyEnd::Empty => {
            Err(Unapplied::Refused("an empty collection was restored, which no later server keeps"))
        }
    }
}

/// Parses the options. Those for eviction are checked and have no effect on the data.
fn options(call: &Call<'_, '_>) -> Result<Options, Unapplied> {
    let mut options = Options::default();
    let (mut idle, mut frequency) = (false, false);
    let mut at = 4;
    while at < call.args.len() {
        let has_value = at + 1 < call.args.len();
        if call.is(at, "REPLACE") {
            options.replace = true;
        } else if call.is(at, "ABSTTL") {
            options.absolute = true;
        } else if call.is(at, "IDLETIME") && has_value && !frequency {
            if call.int(at + 1)? < 0 {
                return Err(Unapplied::Failed("ERR Invalid IDLETIME value, must be >= 0"));
            }
            idle = true;
            at += 1;
        } else if call.is(at, "FREQ") && has_value && !idle {
            if !(0..=255).contains(&call.int(at + 1)?) {
                let text = "ERR Invalid FREQ value, must be >= 0 and <= 255";
                return Err(Unapplied::Failed(text));
            }
            frequency = true;
            at += 1;
        } else {
            return Err(Unapplied::SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}
