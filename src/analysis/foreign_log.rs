//! Logs of other products that are written in the same frames: recognised by their commands.

use crate::analysis::survey::Survey;
use crate::aof::read_args;

/// A product whose log is neither of Redis nor of Valkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignLog {
    /// Tile38, a store of geometries. Its SET takes an id and a kind of object.
    Tile38,
    /// KeyDB, a fork of Redis 6 with commands of its own.
    KeyDb,
}

impl ForeignLog {
    /// The name of the product.
    pub fn name(self) -> &'static str {
        match self {
            ForeignLog::Tile38 => "Tile38",
            ForeignLog::KeyDb => "KeyDB",
        }
    }
}

/// The commands of which one suffices, by product.
const OWN_COMMANDS: &[(ForeignLog, &[&[u8]])] = &[
    (
        ForeignLog::KeyDb,
        &[
            b"EXPIREMEMBER",
            b"EXPIREMEMBERAT",
            b"PEXPIREMEMBERAT",
            b"KEYDB.CRON",
            b"KEYDB.HRENAME",
            b"KEYDB.MVCCRESTORE",
            b"RREPLAY",
        ],
    ),
    (
        ForeignLog::Tile38,
        &[b"FSET", b"JSET", b"JDEL", b"PDEL", b"SETHOOK", b"SETCHAN", b"PDELHOOK"],
    ),
];

/// What follows the id in a SET of Tile38. As the first option of a SET, no version of Redis or Valkey takes it.
const TILE38_OBJECTS: &[&[u8]] = &[b"POINT", b"BOUNDS", b"OBJECT", b"HASH", b"STRING", b"FIELD"];

/// How many commands are searched for a SET of Tile38.
const SAMPLE: usize = 64;

/// Returns the product that wrote the commands of a part, if it is another one than Redis or Valkey.
pub fn foreign_log(survey: &Survey<'_>) -> Option<ForeignLog> {
    let has = |name: &&[u8]| survey.tally.unknown.contains_key(*name);
    let by_name = OWN_COMMANDS.iter().find(|(_, names)| names.iter().any(&has));
    by_name
        .map(|(product, _)| *product)
        .or_else(|| has_tile38_set(survey).then_some(ForeignLog::Tile38))
}

fn has_tile38_set(survey: &Survey<'_>) -> bool {
    let bytes = survey.part.mapping.bytes();
    let Ok(mut at) = usize::try_from(survey.commands_start) else { return false };
    let mut args = Vec::new();
    for _ in 0..SAMPLE {
        match read_args(bytes, at, &mut args) {
            Some(end) if end <= survey.stop.at => at = end,
            _ => return false,
        }
        if let [name, _, _, kind, _, ..] = &args[..]
            && name.eq_ignore_ascii_case(b"SET")
            && TILE38_OBJECTS.iter().any(|object| kind.eq_ignore_ascii_case(object))
        {
            return true;
        }
    }
    false
}
