//! Logs whose bytes a tool or a person changed as a whole, read back.
//!
//! Editors, git, mail and pagers change line ends; converters write lengths in characters; a command that was deleted
//! by hand leaves its header. The commands are all there, but no server reads them. [`undo`] reads each command that is
//! not a frame by the rules of its kind, and writes it as a frame. A length in the file proves where a value ends; where
//! several readings have the length, none is taken.
//!
//! | module | reads |
//! |---|---|
//! | `leading` | text before an RDB |
//! | `loose` | frames with other line ends, or with lengths in characters |
//! | `original_text` | decides what text was whose lengths count characters |
//! | `leftover` | what remains of a command that was deleted by hand, and extra line ends |
//! | `typed` | inline commands, and the quotes in them |
//! | `monitor` | the output of MONITOR |
//! | `wide` | UTF-16 |
//! | `conflict` | marks of git around two versions of some lines, of which one has to be chosen |
//!
//! `reading` has what they share, and `run` steps over what is as a server wrote it.

mod conflict;
mod leading;
mod leftover;
mod loose;
mod monitor;
mod original_text;
mod reading;
mod run;
mod typed;
mod wide;

use std::io::{self, Write};

use crate::aof::frame_end;
use crate::base::code_page::CodePage;
pub use conflict::Side;
pub(crate) use conflict::{Conflict, conflicts, resolve};
pub(crate) use leading::{begins_rdb, leading_text};
pub use loose::ValueLineEnds;
pub use original_text::OriginalText;
pub(crate) use original_text::UndecidedText;
pub use reading::{Change, Undone};
pub(crate) use reading::{Commands, REPLACEMENT};
pub(crate) use wide::{narrow, wide_text};

use original_text::{TextOrigin, text_origin};
use reading::{Reading, Replacement, canonical_end};
use run::{FRAMES_OF_A_RUN, canonical_run};

/// What is assumed where a log does not tell what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Assumed {
    /// The line ends of values of which the lengths do not tell which were CR LF.
    pub(crate) line_ends: Option<ValueLineEnds>,
    /// What text was whose length counts its characters.
    pub(crate) text: Option<OriginalText>,
}

/// Writes the log in `bytes` as a server would have written it, and returns what was undone. `start` is the offset at
/// which commands begin; everything before it is copied. Nothing is written if nothing is undone.
///
/// Bytes that no rule applies to are copied: they are damage for the reader after this. So is a command with a value of
/// which the line ends are not known, or what its text was, unless they are `assumed`.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn undo(
    bytes: &[u8],
    start: usize,
    commands: &dyn Commands,
    assumed: Assumed,
    out: &mut dyn Write,
) -> io::Result<Restoration> {
    let mut pass = Pass {
        bytes,
        commands,
        assumed,
        out,
        copied: 0,
        is_after_damage: false,
        undone: Vec::new(),
        undecided: None,
        start: 0,
        origin: None,
    };
    let mut at = start.min(bytes.len());
    if at == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
        at = BYTE_ORDER_MARK.len();
        pass.note(Change::ByteOrderMark, 0, 1);
        pass.copied = at;
        pass.start = at;
    }
    let mut canonical = 0;
    while at < bytes.len() {
        if let Some(end) = canonical_end(bytes, at) {
            at = end;
            canonical += 1;
            if canonical == FRAMES_OF_A_RUN {
                (at, canonical) = (canonical_run(bytes, at), 0);
            }
            continue;
        }
        canonical = 0;
        if let Some(end) = pass.undo_at(at)? {
            at = end;
        } else {
            // Servers read other forms, too.
            at = frame_end(bytes, at).unwrap_or_else(|| pass.next_readable(at));
        }
    }
    if !pass.undone.is_empty() {
        pass.copy_until(bytes.len())?;
    }
    let undecided_text = match pass.origin {
        Some(TextOrigin::Undecided(undecided)) if assumed.text.is_none() => Some(undecided),
        _ => None,
    };
    Ok(Restoration { undone: pass.undone, undecided: pass.undecided, undecided_text })
}

/// What was undone in a log.
#[derive(Debug, Default)]
pub(crate) struct Restoration {
    /// The changes; empty if there are none.
    pub(crate) undone: Vec<Undone>,
    /// The commands that were not read, because it is not known which line ends of a value were CR LF.
    pub(crate) undecided: Option<Undecided>,
    /// The commands that were not read, because it is not known what their text was.
    pub(crate) undecided_text: Option<UndecidedText>,
}

/// Commands with values of which the line ends are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undecided {
    /// The number of commands.
    pub(crate) commands: u64,
    /// The byte offset of the first.
    pub(crate) first: u64,
}

/// The byte order mark in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

struct Pass<'a> {
    bytes: &'a [u8],
    commands: &'a dyn Commands,
    assumed: Assumed,
    out: &'a mut dyn Write,
    /// Everything before this offset is written, or left out.
    copied: usize,
    /// Whether bytes were copied that are no commands. What follows may be inside a value that holds what looks like
    /// commands, so that only line ends are restored, and those only in a log that has others before.
    is_after_damage: bool,
    undone: Vec<Undone>,
    undecided: Option<Undecided>,
    /// Where commands may begin.
    start: usize,
    /// What text was whose length counts its characters, once there is some.
    origin: Option<TextOrigin>,
}

impl Pass<'_> {
    /// Undoes the change at `at`, where no frame begins, and returns the offset at which reading goes on.
    fn undo_at(&mut self, at: usize) -> io::Result<Option<usize>> {
        let (bytes, commands) = (self.bytes, self.commands);
        let of_line_ends = || {
            loose::annotation(bytes, at).or_else(|| loose::frame(bytes, at, self.assumed.line_ends))
        };
        let reading = if self.is_after_damage {
            of_line_ends().filter(|_| self.has_other_line_ends())
        } else {
            of_line_ends()
                .or_else(|| leftover::line_ends(bytes, at))
                .or_else(|| leftover::header(bytes, at))
                .or_else(|| monitor::lines(bytes, at, commands))
                .or_else(|| typed::lines(bytes, at, commands))
        };
        let is_counted = reading.as_ref().is_some_and(|reading| !reading.counted.is_empty());
        let Some(reading) = reading.and_then(|reading| self.with_original_text(at, reading)) else {
            if !is_counted
                && self.assumed.line_ends.is_none()
                && loose::frame(bytes, at, Some(ValueLineEnds::Lf)).is_some()
            {
                let undecided = Undecided { commands: 0, first: at as u64 };
                self.undecided.get_or_insert(undecided).commands += 1;
            }
            // An annotation as servers write it.
            return Ok(loose::canonical_annotation(bytes, at));
        };
        self.copy_until(at)?;
        self.copied = reading.end;
        match &reading.commands {
            Replacement::Nothing => {}
            Replacement::Command(args) => write_command(self.out, args)?,
            Replacement::Lines(lines, _) => {
                lines(bytes, at, commands, &mut |args| write_command(self.out, args))?;
            }
        }
        if let Some(line) = reading.annotation.clone() {
            self.out.write_all(&bytes[line])?;
            self.out.write_all(b"\r\n")?;
        }
        self.note(reading.change, at, reading.places());
        let encoding = self.encoding().filter(|_| reading.change == Change::TextEncoding);
        if let Some(undone) = self.undone.iter_mut().find(|it| it.change == reading.change) {
            undone.left_out += reading.left_out;
            undone.assumed += reading.assumed;
            undone.encoding = encoding;
        }
        Ok(Some(reading.end))
    }

    /// Returns a command with its text as it was, if that is known.
    fn with_original_text(&mut self, at: usize, reading: Reading) -> Option<Reading> {
        if reading.counted.is_empty() {
            return Some(reading);
        }
        let (bytes, start) = (self.bytes, self.start);
        let origin = self.origin.get_or_insert_with(|| text_origin(bytes, start, at));
        let is_proved = matches!(origin, TextOrigin::Certain(_));
        let original = match (self.assumed.text, origin) {
            (Some(original), _) => original,
            (None, TextOrigin::Certain(original)) => *original,
            (None, TextOrigin::Likely) => OriginalText::Same,
            (None, TextOrigin::Undecided(_)) => return None,
        };
        let assumed = if is_proved { 0 } else { reading.counted.len() as u64 };
        let reading = Reading { assumed: reading.assumed + assumed, ..reading };
        let OriginalText::Bytes(page) = original else { return Some(reading) };
        let Replacement::Command(mut args) = reading.commands else { return Some(reading) };
        for index in &reading.counted {
            let Some(arg) = args.get_mut(*index) else { continue };
            *arg = page.bytes(std::str::from_utf8(arg).ok()?)?;
        }
        let change = Change::TextEncoding;
        Some(Reading { change, commands: Replacement::Command(args), ..reading })
    }

    /// The encoding in which bytes were read as text.
    fn encoding(&self) -> Option<CodePage> {
        let original = match (self.assumed.text, self.origin.as_ref()?) {
            (Some(original), _) => original,
            (None, TextOrigin::Certain(original)) => *original,
            _ => return None,
        };
        match original {
            OriginalText::Bytes(page) => Some(page),
            OriginalText::Same => None,
        }
    }

    fn copy_until(&mut self, end: usize) -> io::Result<()> {
        self.out.write_all(&self.bytes[self.copied.min(end)..end])?;
        self.copied = end;
        Ok(())
    }

    fn note(&mut self, change: Change, at: usize, places: u64) {
        match self.undone.iter_mut().find(|it| it.change == change) {
            Some(undone) => undone.places += places,
            None => self.undone.push(Undone::new(change, places, at as u64)),
        }
    }

    /// Returns the next offset after damage at which reading can go on: where a frame begins after a line end.
    fn next_readable(&mut self, at: usize) -> usize {
        self.is_after_damage = true;
        let bytes = self.bytes;
        let has_other_ends = self.has_other_line_ends();
        // A value whose line ends are not known is found, too: whether it is read is decided there.
        let any = Some(ValueLineEnds::Lf);
        let mut from = at + 1;
        while let Some(found) = memchr::memchr(b'*', bytes.get(from..).unwrap_or_default()) {
            let found = from + found;
            if matches!(bytes[found - 1], b'\n' | b'\r')
                && (canonical_end(bytes, found).is_some()
                    || has_other_ends && loose::frame(bytes, found, any).is_some())
            {
                return found;
            }
            from = found + 1;
        }
        bytes.len()
    }

    fn has_other_line_ends(&self) -> bool {
        self.undone.iter().any(|undone| {
            matches!(undone.change, Change::LfLineEnds | Change::CrLineEnds | Change::DoubledCr)
        })
    }
}

fn write_command(out: &mut dyn Write, args: &[Vec<u8>]) -> io::Result<()> {
    write!(out, "*{}\r\n", args.len())?;
    for arg in args {
        write!(out, "${}\r\n", arg.len())?;
        out.write_all(arg)?;
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table;

    impl Commands for Table {
        fn accepts(&self, name: &[u8], argc: usize) -> bool {
            let known = ["SET", "DEL", "LPUSH", "SELECT", "GET", "FLUSHALL", "EVAL", "EXPIRE"];
            argc >= 1 && known.iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
        }

        fn writes(&self, name: &[u8]) -> bool {
            let known = ["SET", "DEL", "LPUSH", "SELECT", "FLUSHALL", "EXPIRE", "SPOP"];
            known.iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
        }
    }

    fn log(commands: &[&[&str]]) -> Vec<u8> {
        let mut out = Vec::new();
        for args in commands {
            let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
            write_command(&mut out, &args).unwrap();
        }
        out
    }

    /// A log with line ends inside values.
    fn sample() -> Vec<u8> {
        log(&[
            &["SELECT", "0"],
            &["SET", "k", "v"],
            &["SET", "empty", ""],
            &["SET", "text", "one\r\ntwo\r\n"],
            &["SET", "name", "Barth\u{e9}lemy \u{1f600}"],
            &["DEL", "k", "$1", "*3"],
        ])
    }

    fn line_ends(line_ends: ValueLineEnds) -> Assumed {
        Assumed { line_ends: Some(line_ends), text: None }
    }

    fn undone(bytes: &[u8]) -> (Vec<u8>, Vec<(Change, u64, u64)>) {
        let mut out = Vec::new();
        let changes = undo(bytes, 0, &Table, Assumed::default(), &mut out).unwrap().undone;
        if changes.is_empty() {
            assert_eq!(out, b"");
            out = bytes.to_vec();
        }
        (out, changes.iter().map(|it| (it.change, it.places, it.first)).collect())
    }

    fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at..].starts_with(from) {
                out.extend_from_slice(to);
                at += from.len();
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        out
    }

    #[test]
    fn intact_log_is_copied() {
        let log = [&b"#TS:1700000000\r\n"[..], &sample()].concat();
        assert_eq!(undone(&log), (log, vec![]));
        assert_eq!(undone(b""), (vec![], vec![]));
    }

    #[test]
    fn line_ends_are_restored_in_values_too() {
        let log = [&b"#TS:1700000000\r\n"[..], &sample()].concat();
        let (restored, changes) = undone(&replaced(&log, b"\r\n", b"\n"));
        assert_eq!((restored, changes), (log.clone(), vec![(Change::LfLineEnds, 7, 0)]));
        let (restored, changes) = undone(&replaced(&log, b"\n", b"\r\n"));
        assert_eq!((restored, changes), (log, vec![(Change::DoubledCr, 7, 0)]));
        // Values without line ends.
        let log = self::log(&[&["SELECT", "0"], &["SET", "k", "v"]]);
        let (restored, changes) = undone(&replaced(&log, b"\r\n", b"\r"));
        assert_eq!((restored, changes), (log, vec![(Change::CrLineEnds, 2, 0)]));
    }

    #[test]
    fn value_that_several_readings_fit_is_left() {
        // Of two line feeds in the value, one was CR LF: which is not known.
        let log = log(&[&["SET", "k", "one\r\ntwo\nthree"], &["SET", "z", "1"]]);
        let changed = replaced(&log, b"\r\n", b"\n");
        let mut out = Vec::new();
        let restoration = undo(&changed, 0, &Table, Assumed::default(), &mut out).unwrap();
        let undecided = Undecided { commands: 1, first: 0 };
        assert_eq!((restoration.undone, restoration.undecided), (vec![], Some(undecided)));
    }

    #[test]
    fn line_ends_of_a_value_are_as_assumed() {
        let values = ["one\r\ntwo\nthree", "one\ntwo\nthree", "one\r\ntwo\r\nthree"];
        let commands = |text: &str| {
            log(&[&["SET", "a", text], &["SET", "k", "a\nb"], &["SET", "z", "x\r\ny"]])
        };
        let changed = replaced(&commands(values[0]), b"\r\n", b"\n");
        for (assumed, expected) in [(ValueLineEnds::Lf, 1), (ValueLineEnds::CrLf, 2)] {
            let mut out = Vec::new();
            let restoration = undo(&changed, 0, &Table, line_ends(assumed), &mut out).unwrap();
            assert_eq!(
                String::from_utf8_lossy(&out),
                String::from_utf8_lossy(&commands(values[expected]))
            );
            assert_eq!(restoration.undone[0].assumed, 1);
            assert_eq!(restoration.undecided, None);
        }
        // A length that is wrong, and reaches over commands whose line ends would fit.
        let mut wrong = b"*3\n$3\nSET\n$1\nk\n$22\nv\n".to_vec();
        wrong.extend_from_slice(b"*2\n$3\nDEL\n$1\na\n*1\n$4\nPING\n");
        for assumed in [ValueLineEnds::Lf, ValueLineEnds::CrLf] {
            let mut out = Vec::new();
            let restoration = undo(&wrong, 0, &Table, line_ends(assumed), &mut out).unwrap();
            assert_eq!(restoration.undone.iter().map(|it| it.assumed).sum::<u64>(), 0);
        }
    }

    #[test]
    fn line_ends_of_cr_are_restored_where_lengths_prove_them() {
        let log = log(&[&["SET", "k", "one\r\ntwo\r\nthree"], &["SET", "z", "1"]]);
        let (restored, changes) = undone(&replaced(&log, b"\r\n", b"\r"));
        assert_eq!((restored, changes), (log, vec![(Change::CrLineEnds, 2, 0)]));
        // A CR that was CR or LF.
        let log = self::log(&[&["SET", "a", "1"], &["SET", "k", "one\rtwo"], &["SET", "z", "1"]]);
        let mut out = Vec::new();
        let changed = replaced(&log, b"\r\n", b"\r");
        let restoration = undo(&changed, 0, &Table, Assumed::default(), &mut out).unwrap();
        assert_eq!(restoration.undecided.map(|it| it.commands), Some(1));
    }

    #[test]
    fn part_with_other_line_ends_is_restored() {
        let [before, after] = [sample(), self::log(&[&["SET", "z", "1"]])];
        let typed = b"*3\n$3\nSET\n$2\nx1\n$1\n1\n";
        let (restored, changes) = undone(&[&before, &typed[..], &after].concat());
        assert_eq!(restored, [before.clone(), log(&[&["SET", "x1", "1"]]), after].concat());
        assert_eq!(changes, [(Change::LfLineEnds, 1, before.len() as u64)]);
    }

    #[test]
    fn lengths_in_characters_are_corrected() {
        let log = log(&[
            &["SET", "a", "Barth\u{e9}lemy"],
            &["SET", "\u{fc}\u{fc}", "x"],
            &["SET", "b", "\u{1f600}\u{1f600}"],
        ]);
        let characters = replaced(&replaced(&log, b"$11\r\n", b"$10\r\n"), b"$4\r\n", b"$2\r\n");
        // Code points, and the units of UTF-16 in which JavaScript and Java count.
        for count in ["$2\r\n", "$4\r\n"] {
            let counted = replaced(&characters, b"$8\r\n", count.as_bytes());
            let (restored, changes) = undone(&counted);
            assert_eq!((restored, changes), (log.clone(), vec![(Change::CharacterLengths, 3, 0)]));
        }
    }

    #[test]
    fn frames_that_servers_read_past_their_end_are_read_anew() {
        // Servers skip two bytes after a value, whatever they are, and then meet a line feed.
        let [before, after] = [log(&[&["SET", "a", "1"]]), self::log(&[&["SET", "z", "1"]])];
        let counted = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\u{fc}x\r\n".as_bytes();
        assert!(frame_end(counted, 0).is_some_and(|end| end < counted.len()));
        let (restored, changes) = undone(&[&before, counted, &after[..]].concat());
        let expected = [before.clone(), log(&[&["SET", "k", "\u{fc}x"]]), after.clone()].concat();
        assert_eq!(restored, expected);
        assert_eq!(changes, [(Change::CharacterLengths, 1, before.len() as u64)]);
        // Numbers in another form are read by servers, and left.
        let padded = [&before[..], b"*1\r\n$04\r\nPING\r\n", &after].concat();
        assert_eq!(undone(&padded), (padded, vec![]));
    }

    #[test]
    fn leftovers_of_a_deleted_command_are_left_out() {
        let [before, after] = [log(&[&["SET", "a", "1"]]), self::log(&[&["SELECT", "2"]])];
        let expected = [before.clone(), after.clone()].concat();
        for leftover in
            ["*1\r\n$8\r\n", "*1\r\n", "*3\r\n$3\r\nSET\r\n$1\r\n", "*2\r\n$3\r\nDEL\r\n"]
        {
            let (restored, changes) = undone(&[&before, leftover.as_bytes(), &after[..]].concat());
            assert_eq!(restored, expected, "{leftover:?}");
            assert_eq!(changes, [(Change::LeftoverHeader, 1, before.len() as u64)]);
        }
        // At the end it may be a torn command.
        let torn = [&before[..], b"*1\r\n$8\r\n"].concat();
        assert_eq!(undone(&torn), (torn, vec![]));
        for blank in ["\n", "\r\n", "\r\n\r\n"] {
            let (restored, changes) = undone(&[&before, blank.as_bytes(), &after[..]].concat());
            assert_eq!((&restored, changes.len()), (&expected, 1), "{blank:?}");
            assert_eq!(changes[0].0, Change::ExtraLineEnd);
            let at_end = [&before[..], blank.as_bytes()].concat();
            assert_eq!(undone(&at_end).0, before);
        }
    }

    #[test]
    fn byte_order_mark_is_left_out() {
        let log = sample();
        let marked = [BYTE_ORDER_MARK, &log].concat();
        assert_eq!(undone(&marked), (log.clone(), vec![(Change::ByteOrderMark, 1, 0)]));
        let both = [BYTE_ORDER_MARK, &replaced(&log, b"\r\n", b"\n")].concat();
        assert_eq!(undone(&both).0, log);
    }

    #[test]
    fn inline_commands_are_split_as_by_servers() {
        let typed = b"SET k0 v0\r\nset k1 \"two words\\x41\\n\"\n\nDEL 'a \\'b' c\r\n";
        let expected =
            log(&[&["SET", "k0", "v0"], &["set", "k1", "two wordsA\n"], &["DEL", "a 'b", "c"]]);
        assert_eq!(undone(typed), (expected, vec![(Change::InlineCommands, 3, 0)]));
        // Text in which one line is no command.
        let text = b"SET k0 v0\nThis is no command\n";
        assert_eq!(undone(text), (text.to_vec(), vec![]));
        let unbalanced = b"SET k0 \"v0\n";
        assert_eq!(undone(unbalanced), (unbalanced.to_vec(), vec![]));
    }

    #[test]
    fn monitor_output_becomes_the_writes_in_their_databases() {
        let text = b"OK\n1700000000.000000 [0 127.0.0.1:50000] \"SET\" \"k0\" \"a\\x00\\\"b\\n\"\n\
            1700000000.100000 [0 127.0.0.1:50000] \"GET\" \"k0\"\n\
            1700000000.200000 [3 lua] \"set\" \"x\" \"1\"\n\
            1700000000.300000 [3 unix:/tmp/s] \"DEL\" \"x\"\n\
            1700000001.500000 [0 [::1]:50000] \"EXPIRE\" \"k0\" \"10\"\n";
        let expected = log(&[
            &["SELECT", "0"],
            &["SET", "k0", "a\0\"b\n"],
            &["SELECT", "3"],
            &["set", "x", "1"],
            &["DEL", "x"],
            &["SELECT", "0"],
            &["PEXPIREAT", "k0", "1700000011500"],
        ]);
        let mut out = Vec::new();
        let changes = undo(text, 0, &Table, Assumed::default(), &mut out).unwrap().undone;
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
        // The OK and the GET.
        assert_eq!((changes[0].change, changes[0].left_out), (Change::Monitor, 2));
    }

    #[test]
    fn damage_is_copied() {
        let [before, after] = [sample(), log(&[&["SET", "z", "1"]])];
        for damage in
            [&b"\0\0\0\0noise"[..], b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9999\r\nv\r\n", b"*\xff\n"]
        {
            let damaged = [&before[..], damage, &after[..]].concat();
            assert_eq!(undone(&damaged), (damaged, vec![]));
        }
        let torn = &before[..before.len() - 4];
        assert_eq!(undone(torn), (torn.to_vec(), vec![]));
    }

    #[test]
    fn commands_in_a_damaged_value_stay_in_it() {
        let inner = String::from_utf8(log(&[&["SET", "inner", "1"], &["FLUSHALL"]])).unwrap();
        for inner in [inner.clone(), inner.replace("\r\n", "\n")] {
            let intact = log(&[&["SET", "a", "1"], &["SET", "k", &inner], &["SET", "b", "2"]]);
            let len = format!("${}\r\n", inner.len());
            for wrong in ["$1\r\n", "$9\r\n", "$99999\r\n"] {
                let damaged = replaced(&intact, len.as_bytes(), wrong.as_bytes());
                assert_ne!(damaged, intact);
                assert_eq!(undone(&damaged), (damaged, vec![]), "{wrong:?}");
            }
            // The file ends after the value, without its line end.
            let torn = log(&[&["SET", "k", &inner]]);
            let torn = &torn[..torn.len() - 2];
            assert_eq!(undone(torn), (torn.to_vec(), vec![]));
            let more = replaced(torn, b"*3\r\n$3\r\nSET\r\n$1\r\nk", b"*4\r\n$3\r\nSET\r\n$1\r\nk");
            assert_eq!(undone(&more), (more, vec![]));
        }
    }

    #[test]
    fn cut_and_changed_bytes_do_not_panic() {
        let sample = sample();
        let forms = [
            replaced(&sample, b"\r\n", b"\n"),
            replaced(&sample, b"\n", b"\r\n"),
            b"1700000000.000000 [0 127.0.0.1:50000] \"SET\" \"k0\" \"a\\x00\"\n".to_vec(),
            b"SET a \"b\\x4\"\n".to_vec(),
        ];
        for form in &forms {
            for at in 0..form.len() {
                undone(&form[..at]);
                for byte in [0, b'*', b'$', b'\n', b'"', b'9', 0xff] {
                    let mut changed = form.clone();
                    changed[at] = byte;
                    undone(&changed);
                }
            }
        }
    }
}
