//! Findings about a log: damage, hazards and oddities.
//!
//! An *error* makes a server refuse the log, crash on it or lose data; a *warning* means that loading may give other
//! data than there was; a *note* is informational. Exit code 1 is used for errors.

pub use crate::base::level::Level;

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::{Outcome, Verdict};
use crate::analysis::damage::{DamageReport, describe};
use crate::analysis::foreign_log::foreign_log;
use crate::analysis::joined::{self, joined_logs};
use crate::analysis::rdb_error::{Correction, find_correction, has_sound_structure};
use crate::analysis::survey::{NEWER_RDB, Preamble, Survey};
use crate::aof::conversion::{Change, conflicts, leading_text};
use crate::aof::log::PartRole;
use crate::base::escape::Shown;
use crate::base::modules::{Modules, bundled_with_type};
use crate::base::progress::Silent;
use crate::base::server::{DEFAULT_DATABASES, KNOWN};
use crate::base::units::{Bytes, Count, counted};
use crate::command::tally::Occurrence;
use crate::command::{CommandId, Role};
use crate::input::conversion::{is_changed, restored_rdb};
use crate::input::text_rdb::{TextRdb, restored_text};
use crate::rdb::deep::DeepFault;
use crate::rdb::load_check::LoadCheck;
use crate::rdb::{self, DamageKind, Uncheckable};

/// The kind of the finding about an intact log that a server nevertheless does not load.
pub const NOT_LOADABLE: &str = "not-loadable";

/// The kind of the finding about a function library that a server refuses.
pub const FUNCTION_LIBRARY: &str = "function-library";

/// The kind of the finding about an RDB with content unknown to this version and without a checksum.
pub const UNCHECKED_RDB: &str = "unchecked-rdb";

/// The kind of the finding about a value that fails a check which loaders do not make with default settings.
pub const DEEP_CHECK: &str = "deep-check";

/// The kind of the finding about bytes after the end of an RDB file.
const AFTER_RDB: &str = "after-rdb";

/// The kind of the finding about several logs in one file.
const SECOND_RDB: &str = "second-rdb";

/// The kind of the finding about conflict markers of git.
const CONFLICT_MARKERS: &str = "conflict-markers";

const BROKEN_RDB: &str = "broken-rdb";

const COMPRESSED_RDB: &str = "compressed-rdb";

/// A finding about a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The severity.
    pub level: Level,
    /// The kind: an identifier that is stable across versions.
    pub kind: &'static str,
    /// The file name of the part that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The byte offset of the first occurrence in that part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The number of occurrences.
    pub count: u64,
    /// A description for display, in lower case and without a full stop.
    pub message: String,
    /// The consequence and the recommended action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Details of damage at which no further command can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<Box<DamageReport>>,
    /// The bytes of an RDB that are wrong, and what belongs there, if its checksum shows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correction: Option<Box<Correction>>,
}

impl Finding {
    pub(super) fn new(level: Level, kind: &'static str, message: impl Into<String>) -> Self {
        Finding {
            level,
            kind,
            part: None,
            offset: None,
            count: 1,
            message: message.into(),
            help: None,
            damage: None,
            correction: None,
        }
    }

    fn at(mut self, survey: &Survey<'_>, offset: u64) -> Self {
        self.part = Some(survey.part.name.clone());
        self.offset = Some(offset);
        self
    }

    fn seen(self, survey: &Survey<'_>, seen: Occurrence) -> Self {
        Finding { count: seen.count, ..self.at(survey, seen.first) }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Returns all findings, most severe first and in load order within a severity. `modules`: those that
/// are loaded in the servers. `chosen`: the user named the servers, so that it is an error if one of them refuses the log.
pub fn findings(
    surveys: &[Survey<'_>],
    verdicts: &[Verdict],
    modules: &Modules,
    chosen: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for survey in surveys {
        preamble(survey, &mut findings);
        after_rdb(survey, &mut findings);
        structure(survey, &mut findings);
        transactions(survey, &mut findings);
        content(survey, &mut findings);
        module_data(survey, modules, &mut findings);
        commands(survey, modules, &mut findings);
        traps(survey, &mut findings);
        oddities(survey, &mut findings);
    }
    order_of_parts(surveys, &mut findings);
    nobody_loads(verdicts, chosen, &mut findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}

fn preamble(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    if survey.part.is_empty_rdb() {
        let help = match survey.part.role {
            PartRole::Base => {
                "servers load the rest of the set without an error; `aofkit recover` looks for other files that have the keys"
            }
            _ => "no server loads it; take the file from a backup",
        };
        let what = "an RDB of 0 bytes: its keys are gone, and no server writes one";
        findings.push(Finding::new(Level::Error, "empty-rdb", what).at(survey, 0).help(help));
    }
    if let Some(unwrapped) = survey.part.unwrapped() {
        let what = format!(
            "a compressed RDB, as Valkey 9.2 writes it ({}): {}, {} decompressed",
            unwrapped.codec.name(),
            Bytes(unwrapped.stored),
            Bytes(unwrapped.content)
        );
        let help = match (&unwrapped.fault, unwrapped.checked) {
            (None, true) => {
                "the checksums of the envelope match; byte offsets count decompressed bytes"
            }
            (None, false) => {
                "the envelope has no checksum (rdbchecksum no); byte offsets count decompressed bytes"
            }
            (Some(_), _) => "it does not decompress to its end",
        };
        let finding = Finding::new(Level::Note, COMPRESSED_RDB, what);
        findings.push(finding.at(survey, 0).help(help));
    }
    // If the file cannot be read once more, the damage is reported as it is.
    if let Some(correction) = find_correction(survey, &Silent).unwrap_or_default() {
        findings.push(wrong_byte(survey, correction));
    } else if let Some(Preamble::Broken(damage)) = &survey.preamble {
        let converted = text_rdb(survey).or_else(|| converted_rdb(survey, damage));
        let finding = converted.unwrap_or_else(|| broken_rdb(damage));
        findings.push(finding.at(survey, damage.offset));
    }
    for fault in survey.deep_faults() {
        let finding = deep_check(fault).at(survey, fault.offset);
        findings.push(Finding { count: fault.values, ..finding });
    }
    if let Some(newer) = survey.newer_rdb() {
        let help = "it is whole, its checksum matches: backup, compress, restore, repair, log and recover work on its bytes; what is in it is unknown here";
        let finding = Finding::new(Level::Note, NEWER_RDB, newer.content.to_string());
        findings.push(finding.at(survey, newer.content.offset).help(help));
    }
    if let Some(walk) = survey.rdb()
        && walk.needs_version > walk.version
    {
        let what = format!(
            "the RDB says that it is of version {}, and holds what came with version {}",
            walk.version, walk.needs_version
        );
        let help =
            "no server writes that; one that knows no later version than it says may refuse it";
        findings.push(
            Finding::new(Level::Warning, "rdb-version-too-low", what).at(survey, 0).help(help),
        );
    }
    let databases = survey.rdb().into_iter().flat_map(|walk| &walk.databases);
    let highest = databases.map(|database| database.db).max();
    if let Some(highest) = highest.filter(|&highest| highest >= DEFAULT_DATABASES) {
        let finding = Finding::new(Level::Warning, "database-range", format!("the RDB holds database {highest}"))
            .at(survey, 0)
            .help("the loading server needs `databases` above that (default 16): it refuses to start otherwise");
        findings.push(finding);
    }
    let torn = !survey.is_whole() && survey.stop.fault.is_none_or(|fault| fault.is_short());
    let first_command_missing = match survey.stop.fault {
        None => survey.tally.end_before_multi().is_none(),
        Some(_) => survey.tally.last_end().is_none(),
    };
    if survey.has_whole_rdb() && survey.part.is_last && torn && first_command_missing {
        let finding = Finding::new(Level::Error, "rdb-before-torn-command", "no whole command is between the RDB and the torn end")
            .at(survey, survey.commands_start)
            .help("servers but Valkey 9.1 cut the file to nothing, the RDB included, and run on; their next start is without its data. Repair it before a server sees it");
        findings.push(finding);
    }
}

/// Reports bytes of an RDB that the checksum shows to be wrong.
fn wrong_byte(survey: &Survey<'_>, correction: Correction) -> Finding {
    let offset = correction.bytes.first().map_or(0, |byte| byte.offset);
    let what = match correction.bytes.as_slice() {
        [_] => "one byte is wrong",
        _ => "two adjacent bytes are wrong",
    };
    let message = format!("the RDB is broken: {what}: {correction}");
    let help = if correction.in_checksum {
        "all keys are there, only the checksum is wrong; no server loads it; `aofkit repair` sets it back"
    } else {
        "the checksum proves it: with that, all of the RDB is read; no server loads it as it is; `aofkit repair` sets it back"
    };
    let finding = Finding::new(Level::Error, BROKEN_RDB, message).at(survey, offset).help(help);
    Finding { correction: Some(Box::new(correction)), ..finding }
}

/// Reports an RDB that was saved as text; `None` if it was not.
fn text_rdb(survey: &Survey<'_>) -> Option<Finding> {
    const AGAIN: &str =
        "no server loads it: copy the file again as it is, without a program that reads it as text";
    // If the file cannot be read once more, the damage is reported as it is.
    let text = restored_text(survey.part, &Silent).ok()??;
    let finding = |why: String, help| {
        let message = format!("the RDB is broken: a program read it as text and saved that: {why}");
        Some(Finding::new(Level::Error, BROKEN_RDB, message).help(help))
    };
    match text {
        TextRdb::Restored(text) => {
            let encoding = text.undone.iter().find_map(|it| it.encoding);
            let encoding = encoding.map(|it| it.to_string()).unwrap_or_default();
            if text.proved {
                let help = "the checksum proves what it was; no server loads it as it is; `aofkit repair` undoes it";
                return finding(format!("it was read as {encoding}"), help);
            }
            let help = "no server loads it, and the checksum does not prove what it was: copy it again; `aofkit repair PATH --salvage --dry-run` previews the repair that keeps the keys that can be read";
            finding(format!("it may have been read as {encoding}"), help)
        }
        TextRdb::Lost { replaced, .. } => {
            let places = counted(replaced, "place");
            finding(format!("U+FFFD is in place of bytes that are lost, in {places}"), AGAIN)
        }
        TextRdb::Unknown => finding("in which encoding is not known".to_owned(), AGAIN),
    }
}

/// Reports an RDB whose line ends were converted; `None` if they were not.
fn converted_rdb(survey: &Survey<'_>, damage: &rdb::Damage) -> Option<Finding> {
    // If the file cannot be read once more, the damage is reported as it is.
    let restored = restored_rdb(survey.part, damage.before.len, &Silent).ok()??;
    let places = counted(restored.undone.places, "place");
    let what = match restored.undone.change {
        Change::RdbCrAdded => format!("CR was put before LF, in {places}"),
        _ => format!("CR LF became LF, in {places}"),
    };
    let were = if restored.proved { "were" } else { "seem to be" };
    let message = format!(
        "the RDB is broken: its line ends {were} converted, as by git, FTP in text mode, unix2dos or dos2unix: {what}: {damage}"
    );
    let help = if restored.proved {
        "the checksum proves what it was; no server loads it as it is; `aofkit repair` undoes it"
    } else {
        "no server loads it, and the checksum does not prove what it was: copy it again without a conversion; `aofkit repair PATH --salvage --dry-run` previews the repair that keeps the keys that can be read"
    };
    Some(Finding::new(Level::Error, BROKEN_RDB, message).help(help))
}

fn broken_rdb(damage: &rdb::Damage) -> Finding {
    let unproven = damage.unproven.as_ref().map(|unproven| unproven.reason);
    let (kind, help) = match unproven {
        None if matches!(damage.kind, DamageKind::UnknownEnvelope { .. }) => (
            UNCHECKED_RDB,
            "it is not damaged as far as is known; a newer version of aofkit, or the server that wrote it, can read it",
        ),
        Some(Uncheckable::Off | Uncheckable::Absent) => (
            UNCHECKED_RDB,
            "a newer version of aofkit, or the server that wrote it, can read it; rdbchecksum yes lets others check it",
        ),
        Some(Uncheckable::Wrong) => (
            BROKEN_RDB,
            "copy it again, or take the file from a backup; a newer version of aofkit can say where it is damaged",
        ),
        None if damage.value.is_some() => (
            BROKEN_RDB,
            "the verdicts say which servers load it as it is; all else of the RDB is intact: `aofkit repair` leaves the key out, and so does `aofkit compact --exclude KEY`",
        ),
        None if matches!(damage.kind, rdb::DamageKind::DuplicateKey { .. }) => (
            BROKEN_RDB,
            "no server loads past it; `aofkit repair` keeps the first, and `aofkit compact --exclude KEY` leaves both out",
        ),
        None if has_sound_structure(damage) => (
            BROKEN_RDB,
            "no server loads it; which bytes are wrong is unknown: `aofkit repair` writes it with a right checksum, and any key or value may be wrong",
        ),
        None => (
            BROKEN_RDB,
            "no server loads past it; `aofkit repair PATH --salvage --dry-run` previews the repair that keeps the keys before and after the damage",
        ),
    };
    let message = match has_sound_structure(damage) {
        true => format!("all keys are there; the checksum is wrong: {damage}"),
        false => damage.describe(),
    };
    Finding::new(Level::Error, kind, message).help(help)
}

/// Reports a value that fails a check which loaders do not make with default settings.
fn deep_check(fault: &DeepFault) -> Finding {
    let (level, help) = match fault.check {
        LoadCheck::Since91 => (
            Level::Warning,
            "Valkey since 9.1 refuses it; other servers load it, and do not check this with any setting",
        ),
        LoadCheck::Never => (
            Level::Warning,
            "no server checks this: the score becomes the number that its text begins with, or 0",
        ),
        LoadCheck::SharedPending => (
            Level::Error,
            "Valkey since 9.1 and some releases of older lines refuse it; others load it, and may crash when the entry is acknowledged",
        ),
        LoadCheck::OldStream => (
            Level::Error,
            "Redis 7.0 and later, and Valkey, may crash on it; Valkey since 9.1 refuses it; `aofkit compact --exclude KEY` leaves the key out",
        ),
        _ => (
            Level::Error,
            "a server loads it with default settings, and commands on the key may fail or crash it; a server with sanitize-dump-payload yes refuses it, and so does Valkey since 9.1; `aofkit compact --exclude KEY` leaves the key out",
        ),
    };
    Finding::new(level, DEEP_CHECK, format!("a value fails a deep check: {fault}")).help(help)
}

/// Reports bytes after an RDB file, which its loader ignores.
fn after_rdb(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let ignored = survey.ignored_bytes();
    if ignored == 0 {
        return;
    }
    let at = survey.stop.at as u64;
    let finding = match joined_logs(survey).as_slice() {
        [] => {
            let what = format!("{} after the end of the RDB", counted(ignored, "byte"));
            Finding::new(Level::Note, AFTER_RDB, what).help(
                "a server that loads it as its dump.rdb ignores them; as an append-only file, no server loads it",
            )
        }
        logs => Finding::new(Level::Warning, SECOND_RDB, joined::describe(logs))
            .help("servers load the first and ignore the rest; `aofkit repair FILE --joined 2 --output NEW` writes the second to a file of its own, and `aofkit merge` joins their keys"),
    };
    findings.push(Finding { count: ignored, ..finding.at(survey, at) });
}

fn structure(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let Some(damage) = describe(survey) else { return };
    let conflicts = conflicts(survey.part.mapping.bytes(), survey.first_unusual());
    if let Some(first) = conflicts.first() {
        let found = counted(conflicts.len() as u64, "conflict");
        let what = format!("git left conflict markers in the log: {found}");
        let help = "no server reads them; `aofkit repair PATH --assume ours --output NEW` keeps the first version, --assume theirs the last, and --assume both both";
        let finding = Finding::new(Level::Error, CONFLICT_MARKERS, what);
        let finding = finding.at(survey, first.range.start as u64).help(help);
        let count = conflicts.len() as u64;
        findings.push(Finding { count, damage: Some(Box::new(damage)), ..finding });
        return;
    }
    if let Some(text) = leading_text(survey.part.mapping.bytes()) {
        let what = format!(
            "text before the RDB: {}, the first is {}",
            counted(text.lines, "line"),
            Shown(text.first.as_bytes())
        );
        let help = "no server loads it; `aofkit repair PATH --output NEW` leaves the text out";
        let finding = Finding::new(Level::Error, "text-before-rdb", what);
        findings
            .push(Finding { damage: Some(Box::new(damage)), ..finding.at(survey, 0).help(help) });
        return;
    }
    let logs = joined_logs(survey);
    if let Some(second) = logs.get(1) {
        let help = "no server reads more than the first; `aofkit repair PATH --joined 1 --output NEW` writes that, --joined 2 the second, and `aofkit merge` joins their keys";
        let finding = Finding::new(Level::Error, SECOND_RDB, joined::describe(&logs));
        let finding = finding.at(survey, second.offset).help(help);
        findings.push(Finding { damage: Some(Box::new(damage)), ..finding });
        return;
    }
    let what = if damage.tail_is_zero {
        format!(
            "nothing but {} zero bytes to the end of the file, as a power loss leaves them",
            Count(damage.tail_bytes)
        )
    } else {
        format!("expected {}, found {}", damage.expected, damage.found)
    };
    let intact = damage.intact;
    let nothing_before = damage.last_boundary == survey.commands_start;
    let whole_file = damage.looks_like.filter(|_| nothing_before && intact.commands == 0);
    let help = match (damage.kind, intact.commands) {
        ("short", 0) if damage.open_multi.is_some() => {
            "`aofkit repair` cuts before the open transaction; a server may cut after its whole commands and lose later writes at the next restart"
        }
        ("short", 0) => {
            "a server cuts the end and loads the rest if aof-load-truncated is yes; `aofkit repair` does the same to a copy"
        }
        (_, 0) => {
            "`aofkit repair` cuts there, in a copy; no setting of a server before Redis 8.4 gets past it"
        }
        _ => {
            "`aofkit repair PATH --salvage --dry-run` previews the repair that skips it and keeps the whole commands after it; without --salvage it cuts there"
        }
    };
    let help = match whole_file {
        Some(whole_file) => whole_file.help(),
        None if damage.kind != "short" && is_changed(survey.part, survey.first_unusual()) => {
            "a program or a person changed the log: `aofkit repair PATH --dry-run` previews it with that undone"
        }
        None => help,
    };
    let of_text = whole_file.filter(|it| it.is_text_of_rdb()).and_then(|_| text_rdb(survey));
    if let Some(finding) = of_text {
        let finding = finding.at(survey, damage.offset);
        findings.push(Finding { damage: Some(Box::new(damage)), ..finding });
        return;
    }
    findings.push(Finding {
        damage: Some(Box::new(damage.clone())),
        ..Finding::new(Level::Error, "damage", what).at(survey, damage.offset).help(help)
    });
}

fn transactions(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let seen = &survey.tally.transactions;
    for dangling in &seen.dangling {
        let join = dangling.open.select.unwrap_or(dangling.next_multi);
        let message = format!(
            "a MULTI that was never closed, and writes after it, from byte {} on",
            Count(join)
        );
        let finding = Finding::new(Level::Error, "dangling-multi", message)
            .at(survey, dangling.open.multi)
            .help("a server queues everything after it up to the next EXEC, torn commands included; `aofkit repair` removes the torn transaction and keeps what follows");
        findings.push(finding);
    }
    let more = seen.dangling_count.saturating_sub(seen.dangling.len() as u64);
    if more > 0 {
        findings.push(Finding::new(
            Level::Error,
            "dangling-multi",
            format!("{} more like it", Count(more)),
        ));
    }
    if let Some(open) = survey.open().filter(|_| survey.stop.fault.is_none()) {
        let (message, help) = match open.select {
            Some(select) => (
                format!(
                    "a MULTI that is never closed; from the SELECT at byte {} on, later writes may follow it",
                    Count(select)
                ),
                "a server drops all of it, later writes included; `aofkit repair PATH --join select --dry-run` previews the repair that keeps those",
            ),
            None => (
                "the file ends inside a transaction".to_string(),
                "a server cuts it off if aof-load-truncated is yes; `aofkit repair` does the same to a copy",
            ),
        };
        findings.push(
            Finding::new(Level::Error, "open-transaction", message)
                .at(survey, open.multi)
                .help(help),
        );
    }
    if let Some(&first) = seen.stray_execs.first() {
        let finding = Finding {
            count: seen.stray_exec_count,
            ..Finding::new(Level::Warning, "stray-exec", "EXEC without MULTI").at(survey, first)
        };
        findings.push(finding.help("a server logs an error and goes on; the MULTI before it is missing, and perhaps more with it"));
    }
}

/// Reports what is in an intact RDB and is lost, or keeps a server from loading it.
fn content(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let inspection = &survey.inspection;
    if let Some(fault) = &inspection.library {
        let finding = Finding::new(Level::Error, FUNCTION_LIBRARY, fault.to_string());
        findings
            .push(finding.at(survey, 0).help("servers since Redis 7.0 do not start with this RDB"));
    }
    if inspection.keydb_member_expiries > 0 {
        let of = match &inspection.first_keydb_key {
            Some((db, key)) => format!(", the first of key {} in database {db}", Shown(key)),
            None => String::new(),
        };
        let what = match inspection.keydb_member_expiries {
            1 => format!("the expiry of a member, which only KeyDB has{of}"),
            count => format!("{} expiries of members, which only KeyDB has{of}", Count(count)),
        };
        let help =
            "Redis and Valkey load the members and drop their expiries: what should expire stays";
        let finding = Finding::new(Level::Warning, "keydb-member-expiry", what);
        findings.push(finding.at(survey, 0).help(help));
    }
    if let Some(product) = foreign_log(survey) {
        let what = format!("a log of {}, not of Redis or Valkey", product.name());
        let finding = Finding::new(Level::Warning, "foreign-log", what);
        findings.push(finding.at(survey, survey.commands_start).help(
            "only its frames are checked here: what its commands mean is known to that product alone",
        ));
    }
}

/// Reports data of modules, which is intact, but which a server loads only with the module.
fn module_data(survey: &Survey<'_>, loaded: &Modules, findings: &mut Vec<Finding>) {
    let used = survey.rdb().into_iter().flat_map(|rdb| &rdb.modules);
    let brought = |name: &str| KNOWN.iter().any(|server| server.brings_module(name));
    for module in used.filter(|module| !brought(&module.name)) {
        let name = Shown(module.name.as_bytes());
        let what = match module.keys {
            0 => format!("data of the module {name} that belongs to no key"),
            1 => format!("1 key of the module {name}"),
            keys => format!("{} keys of the module {name}", Count(keys)),
        };
        let finding = Finding::new(Level::Note, "module-data", what).at(survey, 0);
        let help = match bundled_with_type(&module.name) {
            _ if loaded.have_type(&module.name) => None,
            Some(_) => Some(
                "the module is bundled with Redis 8, but not every package and image has it: a server without it does not start; --module bundled says that it is loaded",
            ),
            None => Some(
                "a server without the module does not start; --module NAME says that it is loaded",
            ),
        };
        findings.push(Finding { help: help.map(str::to_string), ..finding });
    }
}

fn commands(survey: &Survey<'_>, modules: &Modules, findings: &mut Vec<Finding>) {
    let tally = &survey.tally;
    if tally.wrong_arity.count > 0 {
        let finding = Finding::new(Level::Error, "wrong-arity", "a command with a wrong number of arguments")
            .seen(survey, tally.wrong_arity)
            .help("Valkey 9.1 refuses it; other servers crash on it or store garbage, and redis-check-aof does not see it");
        findings.push(finding);
    }
    for (name, seen) in tally.unknown.iter().filter(|(name, _)| !modules.have_command(name)) {
        let finding = Finding::new(Level::Warning, "unknown-command", format!("unknown command {}", Shown(name)))
            .seen(survey, *seen)
            .help("a server loads it only with the module that brings it, or under the name that rename-command gave it");
        findings.push(finding);
    }
    if tally.unknown_more.count > 0 {
        findings.push(
            Finding::new(Level::Warning, "unknown-command", "more unknown commands, of many names")
                .seen(survey, tally.unknown_more),
        );
    }
    for ((id, name), seen) in &tally.subcommands {
        if id.row().subcommand(name).is_none() {
            let message = format!("unknown sub-command {id} {}", Shown(name));
            findings.push(
                Finding::new(Level::Error, "unknown-subcommand", message)
                    .seen(survey, *seen)
                    .help("servers since Redis 7.0 refuse the log"),
            );
        }
    }
    foreign(survey, findings);
}

/// Reports commands that no server writes to its log, so that another program must have written them.
fn foreign(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let mut names = BTreeMap::new();
    for (id, seen) in survey.tally.uses() {
        let row = id.row();
        let logged = row.writes
            || row.role != Role::Plain
            || !row.subcommands.is_empty()
            || [CommandId::EVAL, CommandId::EVALSHA, CommandId::PFCOUNT].contains(&id);
        if !logged {
            names.insert(row.name, seen);
        }
    }
    let Some(first) = names.values().map(|seen| seen.first).min() else { return };
    let count = names.values().map(|seen| seen.count).sum();
    let list = names.keys().take(8).copied().collect::<Vec<_>>().join(", ");
    let finding = Finding::new(Level::Note, "foreign-command", format!("commands that no server logs: {list}"))
        .at(survey, first)
        .help("they were put there by other means; a server runs them all while loading, CONFIG and ACL included");
    findings.push(Finding { count, ..finding });
}

/// Reports hazards of a log that loads: the loaded data may differ from the original data.
fn traps(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let tally = &survey.tally;
    let mut warn = |kind, seen: Occurrence, message: String, help: &str| {
        if seen.count > 0 {
            findings
                .push(Finding::new(Level::Warning, kind, message).seen(survey, seen).help(help));
        }
    };
    let out_of_range = tally.databases.by_number.iter();
    let out_of_range = out_of_range.filter(|&(&number, _)| u64::from(number) >= DEFAULT_DATABASES);
    if let Some((&highest, _)) = out_of_range.clone().next_back() {
        let mut all = Occurrence::default();
        for (_, seen) in out_of_range {
            all = Occurrence { count: all.count + seen.count, first: all.first.min(seen.first) };
        }
        warn(
            "database-range",
            all,
            format!("database {highest} is selected"),
            "the loading server needs `databases` above that (default 16): it ignores such a SELECT, and the writes after it go to the database before",
        );
    }
    warn(
        "select-no-number",
        tally.databases.invalid,
        "SELECT of an invalid database index".into(),
        "servers ignore it, and the writes after it go to the database before",
    );
    warn(
        "relative-time",
        tally.relative_times,
        "expiries relative to the time of loading".into(),
        "the keys live longer after each load; logs of servers before Redis 7.0 hold such commands",
    );
    let flushes = [CommandId::FLUSHALL, CommandId::FLUSHDB].map(|id| tally.occurrences(id));
    let flushes = Occurrence {
        count: flushes.iter().map(|seen| seen.count).sum(),
        first: flushes.iter().map(|seen| seen.first).min().unwrap_or(u64::MAX),
    };
    warn(
        "flush",
        flushes,
        "FLUSHALL or FLUSHDB".into(),
        "a server that has save points overwrites its dump.rdb while loading a FLUSHALL: copy dump.rdb aside first",
    );
    let scripts = [CommandId::EVAL, CommandId::EVALSHA].map(|id| tally.occurrences(id));
    let scripts = Occurrence {
        count: scripts.iter().map(|seen| seen.count).sum(),
        first: scripts.iter().map(|seen| seen.first).min().unwrap_or(u64::MAX),
    };
    warn(
        "verbatim-script",
        scripts,
        "scripts logged verbatim".into(),
        "what they did is known only by running them again, and random or relative values come out differently",
    );
    warn(
        "field-expiry",
        tally.occurrences(CommandId::HPERSIST),
        "HPERSIST".into(),
        "Redis 8 loses a field whose old time to live has passed by the time of loading; Valkey 9 keeps it",
    );
    warn(
        "field-expiry",
        tally.field_conditions,
        "HSETEX with FXX".into(),
        "Redis 8 loses a field whose old time to live has passed by the time of loading; Valkey 9 keeps it",
    );
    warn(
        "vector-set",
        tally.occurrences(CommandId::VADD),
        "vector sets".into(),
        "Redis 8.2 crashes when it rewrites them to a log of commands: keep aof-use-rdb-preamble yes",
    );
}

fn oddities(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let tally = &survey.tally;
    if tally.times.backwards.count > 0 {
        findings.push(
            Finding::new(
                Level::Warning,
                "time-backwards",
                "a timestamp that is before the one before it",
            )
            .seen(survey, tally.times.backwards)
            .help("the server's clock was set back, or parts were joined in the wrong order"),
        );
    }
    if tally.non_canonical.count > 0 {
        findings.push(
            Finding::new(Level::Note, "non-canonical", "a command not written as servers write it")
                .seen(survey, tally.non_canonical)
                .help("servers load it all the same; redis-check-aof may call it damaged"),
        );
    }
}

/// Reports a torn end in a part that is not the last.
fn order_of_parts(surveys: &[Survey<'_>], findings: &mut Vec<Finding>) {
    for survey in surveys.iter().filter(|survey| !survey.part.is_last) {
        let cut_on_disk = survey.stop.fault.is_none_or(|fault| fault.is_short());
        if !survey.is_whole() && !survey.is_preamble_broken() && cut_on_disk {
            findings.push(
                Finding::new(Level::Error, "torn-before-last", "the torn file is not the last of the set")
                    .at(survey, survey.safe_end())
                    .help("a server refuses to start, but cuts the file on disk while doing so: its second start succeeds, with data missing. Copy the directory before starting one"),
            );
        }
    }
}

fn nobody_loads(verdicts: &[Verdict], chosen: bool, findings: &mut Vec<Finding>) {
    let anyone_loads = verdicts.iter().any(Verdict::may_load);
    let refused: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.may_load()).collect();
    // No verdict is expected on content unknown to this version, unless the user named the servers.
    let expected = !chosen && findings.iter().any(|finding| finding.kind == NEWER_RDB);
    let explained = findings.iter().any(|finding| finding.level == Level::Error);
    if expected || explained || refused.is_empty() || (anyone_loads && !chosen) {
        return;
    }
    for verdict in refused {
        let servers =
            verdict.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let does = match verdict.outcome {
            Outcome::Crashes => "crashes on it",
            Outcome::Undefined => "crashes on it or stores garbage",
            Outcome::DoesNotRead => "does not read this layout",
            _ => "does not load it as it is",
        };
        let reason = verdict.reason.as_deref().unwrap_or("no reason known");
        findings.push(Finding {
            part: verdict.part.clone(),
            offset: verdict.offset,
            ..Finding::new(Level::Error, NOT_LOADABLE, format!("{servers} {does}: {reason}"))
        });
    }
}
