//! The line ends of an RDB that a tool converted as if it were text.
//!
//! Version control, FTP in text mode and programs such as unix2dos write CR LF for every LF, and others LF for every CR
//! LF. An RDB has both bytes inside lengths and values. Without the CR before each LF, it is the RDB as it was, except
//! where it had CR LF itself. Which these places are is not in the file, but the lengths are: with a byte too few,
//! nearly every next record is none. So the records are read one after the other, and where no record follows, CR is put
//! before some LF of the last ones. The checksum proves the result.

use super::checksum::Sum;
use super::driver::{Driver, Step};
use super::header::{HEADER_BYTES, Header};
use super::reader::Tools;
use super::visitor::{Visitor, Want};
use crate::base::error::Result;
use crate::base::progress::Progress;

/// What was done to the line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// CR was put before LF.
    CrAdded,
    /// CR before LF was removed.
    CrRemoved,
}

impl Conversion {
    /// Returns what may have been done to the line ends of `bytes`, a whole file: with CR before each LF, or before
    /// none.
    pub(crate) fn suspected(bytes: &[u8]) -> Option<Conversion> {
        let (mut with_cr, mut without) = (0, 0);
        for at in memchr::memchr_iter(b'\n', bytes) {
            match at.checked_sub(1).and_then(|before| bytes.get(before)) {
                Some(b'\r') => with_cr += 1,
                _ => without += 1,
            }
            if with_cr > 0 && without > 0 {
                return None;
            }
        }
        match (with_cr, without) {
            (0, 0) => None,
            (0, _) => Some(Conversion::CrRemoved),
            (_, _) => Some(Conversion::CrAdded),
        }
    }
}

/// An RDB without the CR before each LF, as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginalLineEnds {
    /// The offsets of LF that were CR LF.
    pub(crate) crlf: Vec<usize>,
    /// Where the RDB ends; for one that is not whole, how far it can be read.
    pub(crate) end: usize,
    /// Whether the checksum proves it. Otherwise the places are those with which most can be read.
    pub(crate) proved: bool,
    /// Whether all records are read with these places, up to the end.
    pub(crate) whole: bool,
}

impl OriginalLineEnds {
    /// Calls `write` with the pieces of the RDB as it was.
    ///
    /// # Errors
    ///
    /// Those of `write`.
    pub(crate) fn pieces<E>(
        &self,
        text: &[u8],
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut from = 0;
        for &at in &self.crlf {
            write(text.get(from..at).unwrap_or_default())?;
            write(b"\r")?;
            from = at;
        }
        write(text.get(from..self.end).unwrap_or_default())
    }
}

/// The number of attempts to read a record with CR in other places before reading comes further.
const ATTEMPTS: u64 = 4000;

/// The number of RDBs whose checksum is computed, and the number of bytes in all.
const CHECKSUMS: u64 = 4096;
const CHECKSUM_BYTES: u64 = 1 << 30;

/// How many records back the reason why a record cannot be read is looked for.
const RECORDS_BACK: usize = 8;

/// The number of LF of a record of which some get a CR and others do not.
const MIXED_LINE_ENDS: usize = 16;

/// The number of bytes after the last CR that are read first of a record.
const WINDOW_BYTES: usize = 512;

/// The number of bytes that are copied to read records, in all, and for each byte of the file.
const COPIED_BYTES: u64 = 256 << 20;
const COPIED_SHARE: u64 = 16;

/// Finds the places at which LF was CR LF in `text`, which begins with an RDB without CR before LF.
///
/// # Errors
///
/// When the caller cancels.
pub(crate) fn find_line_ends(
    text: &[u8],
    progress: &dyn Progress,
) -> Result<Option<OriginalLineEnds>> {
    let Ok(header) = Header::read(text) else { return Ok(None) };
    Search {
        text,
        header,
        tools: Tools::new(),
        crlf: Vec::new(),
        choices: Vec::new(),
        attempts: 0,
        furthest: 0,
        checksums: 0,
        copied: 0,
        best: None,
    }
    .run(progress)
}

struct Search<'t> {
    text: &'t [u8],
    header: Header,
    tools: Tools,
    /// The LF that have a CR at the moment.
    crlf: Vec<usize>,
    /// The records that can be read in another way.
    choices: Vec<Choice>,
    /// The attempts since reading came further.
    attempts: u64,
    furthest: usize,
    checksums: u64,
    copied: u64,
    /// The places with which most can be read.
    best: Option<OriginalLineEnds>,
}

/// A record with LF in it.
struct Choice {
    at: usize,
    /// The number of places before it.
    places: usize,
    /// The LF from the record on.
    lf: Vec<usize>,
    /// Which of them have a CR: those from the first number to the second, or all others.
    patterns: Vec<(usize, usize, bool)>,
    tried: usize,
}

/// What is at a place.
enum Read {
    /// A record that ends there, with CR before so many of the places that were given.
    Record(usize, usize),
    /// The end, whose checksum begins there.
    End(usize),
    /// No record: it cannot be read up to there.
    Fails(usize),
}

impl Search<'_> {
    fn run(mut self, progress: &dyn Progress) -> Result<Option<OriginalLineEnds>> {
        let mut at = HEADER_BYTES;
        let mut checked = 0;
        loop {
            if at - checked.min(at) > 1 << 20 || self.attempts % 1024 == 1023 {
                progress.check()?;
                checked = at;
            }
            match self.first(at) {
                Read::Record(end, _) => at = end,
                Read::End(end) => match self.end(end) {
                    Some(proved) => return Ok(Some(proved)),
                    None if self.is_given_up() => break,
                    None => match self.retry(true) {
                        Some(next) => at = next,
                        None => break,
                    },
                },
                Read::Fails(_) => match self.retry(false) {
                    Some(next) => at = next,
                    None => break,
                },
            }
        }
        Ok(self.best)
    }

    /// Reads the record at `at` as it is, and notes it if it can be read in another way.
    fn first(&mut self, at: usize) -> Read {
        if at > self.furthest {
            (self.furthest, self.attempts) = (at, 0);
        }
        let read = self.read(at, &[]);
        let (end, fails) = match read {
            Read::Record(end, _) => (end, false),
            Read::Fails(end) => (end, true),
            Read::End(_) => return read,
        };
        if fails {
            self.note_best(at);
        }
        // The CR before an LF at the beginning of the next record is of this one.
        let bytes = self.text.get(at..(end + 1).min(self.text.len())).unwrap_or_default();
        if fails || memchr::memchr(b'\n', bytes).is_some() {
            self.choices.push(Choice::new(at, self.crlf.len(), self.text, end));
            if self.choices.len() > 4 * RECORDS_BACK + 1024 {
                // A mixture of line ends is tried again when the checksum is wrong; all else is far back.
                let far = self.choices.len() - RECORDS_BACK;
                let mut number = 0;
                self.choices.retain(|choice| {
                    number += 1;
                    number > far || choice.is_mixed()
                });
            }
        }
        read
    }

    /// Reads one of the last records in the next way, and returns where the record after it begins. `mixed`: of those
    /// that were read with CR before some LF alone, as the checksum is wrong.
    fn retry(&mut self, mixed: bool) -> Option<usize> {
        if !mixed && let Some(next) = self.retry_with_all() {
            return Some(next);
        }
        let mut back = 0;
        while let Some(mut choice) = self.choices.pop() {
            back += 1;
            if !mixed && back > RECORDS_BACK || mixed && back > 100_000 {
                return None;
            }
            if mixed && !choice.is_mixed() {
                continue;
            }
            while let Some(places) = choice.next() {
                self.attempts += 1;
                if self.is_given_up() {
                    return None;
                }
                self.crlf.truncate(choice.places);
                let Read::Record(end, used) = self.read(choice.at, &places) else { continue };
                self.crlf.extend(places.iter().take(used));
                self.choices.push(choice);
                return Some(end);
            }
        }
        None
    }

    /// Reads one of the last records with CR before each LF of it, which is the most likely way.
    fn retry_with_all(&mut self) -> Option<usize> {
        let first = self.choices.len().saturating_sub(RECORDS_BACK);
        for number in (first..self.choices.len()).rev() {
            let Some(choice) = self.choices.get_mut(number) else { continue };
            if choice.tried > 0 {
                continue;
            }
            let (at, before) = (choice.at, choice.places);
            let Some(places) = choice.next() else { continue };
            self.attempts += 1;
            let Read::Record(end, used) = self.read(at, &places) else { continue };
            self.crlf.truncate(before);
            self.crlf.extend(places.iter().take(used));
            self.choices.truncate(number + 1);
            return Some(end);
        }
        None
    }

    fn is_given_up(&self) -> bool {
        self.attempts > ATTEMPTS
            || self.copied > self.most_copied()
            || self.checksums > CHECKSUMS
            || self.checksums.saturating_mul(self.text.len() as u64) > CHECKSUM_BYTES
    }

    fn most_copied(&self) -> u64 {
        COPIED_BYTES.saturating_add(COPIED_SHARE.saturating_mul(self.text.len() as u64))
    }

    /// Reads the record at `at` with CR before the LF at these places.
    fn read(&mut self, at: usize, places: &[usize]) -> Read {
        if places.is_empty() {
            return match record(
                self.text.get(at..).unwrap_or_default(),
                self.header,
                &mut self.tools,
            ) {
                Ok(Some(end)) => Read::Record(at + end, 0),
                Ok(None) => Read::End(at + 1),
                Err((offset, _)) => Read::Fails((at + offset).min(self.text.len())),
            };
        }
        let last = places.last().copied().unwrap_or(at);
        let mut window = last.saturating_sub(at).saturating_add(WINDOW_BYTES);
        loop {
            let end = at.saturating_add(window).min(self.text.len());
            let bytes = with_cr(self.text, at, end, places);
            self.copied += bytes.len() as u64;
            let read = record(&bytes, self.header, &mut self.tools);
            // The offset in the text, and the number of CR before it.
            let in_text = |offset: usize| {
                let is_before = |(number, place): (usize, &usize)| place - at + number < offset;
                let used = places.iter().enumerate().take_while(|it| is_before(*it)).count();
                (at + offset - used, used)
            };
            return match read {
                Ok(Some(offset)) => {
                    let (end, used) = in_text(offset);
                    Read::Record(end, used)
                }
                Ok(None) => Read::End(at + 1),
                Err((_, true)) if end < self.text.len() && self.copied < self.most_copied() => {
                    window = window.saturating_mul(16);
                    continue;
                }
                Err((offset, _)) => Read::Fails(in_text(offset).0),
            };
        }
    }

    /// Returns the RDB as it was, if it ends with the checksum that follows the end at `end`.
    fn end(&mut self, end: usize) -> Option<OriginalLineEnds> {
        if !self.header.has_checksum() {
            return None;
        }
        // Its bytes can be LF.
        let near = self.text.get(end..(end + 8).min(self.text.len())).unwrap_or_default();
        let lf: Vec<usize> = memchr::memchr_iter(b'\n', near).map(|at| end + at).collect();
        let mut sum = Sum::default();
        let content = OriginalLineEnds { crlf: self.crlf.clone(), end, proved: false, whole: true };
        let Ok(()) = content.pieces(self.text, |piece| {
            sum.add(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        self.checksums += 1;
        for chosen in 0..1_u32 << lf.len() {
            let places = lf.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
            let places: Vec<usize> = places.map(|(_, at)| *at).collect();
            let bytes = with_cr(self.text, end, (end + 8).min(self.text.len()), &places);
            let Some(stored) = bytes.first_chunk::<8>().copied().map(u64::from_le_bytes) else {
                continue;
            };
            let is_proved = stored == sum.value();
            // Without a checksum, only that all of it can be read is known.
            let is_unchecked = stored == 0 && content.crlf.is_empty();
            if is_proved || is_unchecked {
                let inserted = places.iter().filter(|at| **at < end + 8).count();
                let mut crlf = content.crlf.clone();
                crlf.extend(places);
                return Some(OriginalLineEnds {
                    crlf,
                    end: end + 8 - inserted,
                    proved: true,
                    whole: true,
                });
            }
        }
        if self.best.as_ref().is_none_or(|best| !best.whole) {
            let end = (end + 8).min(self.text.len());
            self.best = Some(OriginalLineEnds { end, ..content });
        }
        None
    }

    /// Notes how far can be read with the places of the moment.
    fn note_best(&mut self, end: usize) {
        if self.best.as_ref().is_none_or(|best| !best.whole && end > best.end) {
            let crlf = self.crlf.clone();
            self.best = Some(OriginalLineEnds { crlf, end, proved: false, whole: false });
        }
    }
}

impl Choice {
    /// A record that was read, or could not be read, up to `end`.
    fn new(at: usize, places: usize, text: &[u8], end: usize) -> Choice {
        let reach = end.saturating_add(WINDOW_BYTES).min(text.len());
        let is_lone = |lf: &usize| lf.checked_sub(1).and_then(|it| text.get(it)) != Some(&b'\r');
        let found = memchr::memchr_iter(b'\n', text.get(at..reach).unwrap_or_default());
        let lf: Vec<usize> = found.map(|offset| at + offset).filter(is_lone).collect();
        Choice { at, places, lf, patterns: Vec::new(), tried: 0 }
    }

    /// Returns whether CR is before some LF of it, and not before others, or may be.
    fn is_mixed(&self) -> bool {
        self.tried > 1
    }

    /// Returns the next places of CR.
    fn next(&mut self) -> Option<Vec<usize>> {
        let all = self.lf.len();
        if all == 0 {
            return None;
        }
        if self.tried == 0 {
            self.tried = 1;
            return Some(self.lf.clone());
        }
        if self.patterns.is_empty() && self.tried == 1 {
            self.patterns = patterns(all.min(MIXED_LINE_ENDS));
        }
        let &(from, to, inverted) = self.patterns.get(self.tried - 1)?;
        self.tried += 1;
        let is_chosen = |index: usize| (from..to).contains(&index) != inverted;
        let chosen = self.lf.iter().enumerate().filter(|(index, _)| is_chosen(*index));
        Some(chosen.map(|(_, at)| *at).collect())
    }
}

/// Returns which of so many LF have a CR: one run of them, or all but one.
fn patterns(count: usize) -> Vec<(usize, usize, bool)> {
    let mut found = Vec::new();
    for length in 1..count {
        for from in 0..=count - length {
            found.push((from, from + length, false));
        }
    }
    // All but a run inside: the others are runs as well.
    for length in 1..count {
        for from in 1..count.saturating_sub(length) {
            found.push((from, from + length, true));
        }
    }
    if count == 1 {
        found.push((0, 1, true));
    }
    found
}

/// Returns `text[from..to]` with CR before these places.
fn with_cr(text: &[u8], from: usize, to: usize, places: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(to.saturating_sub(from) + places.len());
    let mut copied = from;
    for &at in places.iter().filter(|at| (from..to).contains(*at)) {
        bytes.extend_from_slice(text.get(copied..at).unwrap_or_default());
        bytes.push(b'\r');
        copied = at;
    }
    bytes.extend_from_slice(text.get(copied..to).unwrap_or_default());
    bytes
}

/// Reads the record that `bytes` begin with, and returns its end; `None` if it is the end of the RDB.
///
/// # Errors
///
/// The offset at which it cannot be read, and whether the bytes end there.
fn record(bytes: &[u8], header: Header, tools: &mut Tools) -> Result<Option<usize>, (usize, bool)> {
    let mut visitor = Strict;
    let mut driver = Driver::new(bytes, &mut visitor, tools);
    driver.go_to(header, 0, 0);
    let mut prefixes = 0;
    while driver.whole == 0 {
        match driver.step() {
            Ok(Step::Again) if prefixes < 8 => prefixes += 1,
            // The end is a record of its own.
            Ok(Step::End) if driver.reader.cursor.pos() == 1 => return Ok(None),
            Ok(_) => return Err((driver.reader.cursor.pos(), false)),
            Err(fault) => {
                let offset = usize::try_from(fault.0.offset).unwrap_or(usize::MAX);
                let offset = offset.min(bytes.len()).max(driver.reader.cursor.pos());
                return Err((offset, fault.0.kind.is_short()));
            }
        }
    }
    Ok(Some(driver.whole))
}

/// Reads values, so that their structure is checked.
struct Strict;

impl<'a> Visitor<'a> for Strict {
    fn key(&mut self, _: &super::visitor::Key<'a>) -> Want {
        Want::Value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;

    fn string(bytes: &[u8]) -> Vec<u8> {
        assert!(bytes.len() < 64);
        [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    /// An RDB with a note, whose name has the length of an LF, and these strings.
    fn rdb(values: &[&[u8]]) -> Vec<u8> {
        let mut rdb = b"REDIS0009".to_vec();
        rdb.push(0xfa);
        rdb.extend(string(b"redis-bits"));
        rdb.extend([0xc0, 64, 0xfe, 0]);
        for (number, value) in values.iter().enumerate() {
            rdb.push(0);
            rdb.extend(string(format!("key:{number}").as_bytes()));
            rdb.extend(string(value));
        }
        rdb.push(0xff);
        let sum = super::super::crc64(&rdb);
        rdb.extend(sum.to_le_bytes());
        rdb
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

    fn found(text: &[u8]) -> (bool, Vec<u8>) {
        let found = find_line_ends(text, &Silent).unwrap().unwrap();
        let mut bytes = Vec::new();
        let Ok(()) = found.pieces(text, |piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        (found.proved, bytes)
    }

    const VALUES: &[&[u8]] = &[
        b"plain",
        b"one\r\ntwo\r\nthree\r\n",
        b"a\nb\nc",
        b"",
        b"0123456789",
        b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\n",
        b"mixed\r\nand\nand\r\n",
        b"last",
    ];

    #[test]
    fn every_line_end_is_found() {
        let original = rdb(VALUES);
        let text = replaced(&original, b"\r\n", b"\n");
        assert_eq!(Conversion::suspected(&text), Some(Conversion::CrRemoved));
        assert_eq!(found(&text), (true, original));
    }

    #[test]
    fn cr_that_was_added_is_left_out() {
        let original = rdb(VALUES);
        // Before every LF, and before those alone that had none.
        let added = replaced(&original, b"\n", b"\r\n");
        let lone = replaced(&replaced(&original, b"\r\n", b"\n"), b"\n", b"\r\n");
        for converted in [added, lone] {
            assert_eq!(Conversion::suspected(&converted), Some(Conversion::CrAdded));
            let text = replaced(&converted, b"\r\n", b"\n");
            assert_eq!(found(&text), (true, original.clone()));
        }
    }

    #[test]
    fn what_no_places_explain_is_not_proved() {
        let mut original = rdb(VALUES);
        let text = replaced(&original, b"\r\n", b"\n");
        let (at, last) = (text.len() / 2, text.len() - 1);
        for at in [at, last] {
            let mut wrong = text.clone();
            wrong[at] ^= 0x40;
            assert!(!found(&wrong).0, "byte {at}");
        }
        // The two places of one value are known only by the checksum, which is off.
        let end = original.len() - 8;
        original[end..].fill(0);
        assert!(!found(&replaced(&original, b"\r\n", b"\n")).0);
        assert_eq!(Conversion::suspected(&original), None);
    }

    #[test]
    fn cut_and_changed_bytes_do_not_panic() {
        let text = replaced(&rdb(VALUES), b"\r\n", b"\n");
        // Each attempt takes a while where nothing is optimised.
        for at in (0..text.len()).step_by(11) {
            let _ = find_line_ends(&text[..at], &Silent).unwrap();
            for byte in [0, 10, 0x80, 0xff] {
                let mut changed = text.clone();
                changed[at] = byte;
                let _ = find_line_ends(&changed, &Silent).unwrap();
            }
        }
    }
}
