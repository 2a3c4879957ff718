//! What text was whose length counts its characters.
//!
//! A program that writes commands may count characters instead of bytes: the text is right, and the length is not. Or a
//! program read the bytes of the log as text of one byte a character, and saved it in an encoding with more: the length is
//! right, and the text is not. Both look alike, but not every text is likely. Bytes that were no text hold control
//! characters when they are read as [Latin-1](CodePage::Latin1), and UTF-8 that was read so is UTF-8 again afterwards. A
//! character without a byte shows that characters were counted, as does text beside it with a length in bytes.

use std::collections::BTreeSet;

use super::loose;
use super::reading::{REPLACEMENT, Reading, Replacement, canonical_end};
use super::run::{FRAMES_OF_A_RUN, canonical_run};
use crate::base::code_page::CodePage;

/// What text was whose length counts its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginalText {
    /// The same text: the length is wrong.
    Same,
    /// Bytes that were read in this encoding: the text is wrong.
    Bytes(CodePage),
}

/// What is known about the text of a log whose lengths count characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextOrigin {
    /// Its content proves it.
    Certain(OriginalText),
    /// The text is read well as it is, and would be text in another encoding as well.
    Likely,
    /// The content does not tell.
    Undecided(UndecidedText),
}

/// Commands with text of which it is not known what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UndecidedText {
    /// The number of commands.
    pub(crate) commands: u64,
    /// The byte offset of the first.
    pub(crate) first: u64,
    /// The number of values with U+FFFD, which programs write in place of bytes that are no text.
    pub(crate) replaced: u64,
    /// The encodings in which the text can have been read.
    pub(crate) pages: Vec<CodePage>,
}

/// The most distinct characters that are remembered: no encoding with one byte a character has more.
const MOST_CHARACTERS: usize = 256;

/// Returns what the text in `bytes` was. The first command with a length in characters is at byte `at`; a byte
/// order mark ends at `start`.
pub(super) fn text_origin(bytes: &[u8], start: usize, at: usize) -> TextOrigin {
    let mut evidence = Evidence::new(at);
    evidence.exact(bytes.get(start..at).unwrap_or_default());
    let mut at = at;
    let mut canonical = 0;
    while at < bytes.len() {
        if let Some(end) = canonical_end(bytes, at) {
            canonical += 1;
            let end = if canonical == FRAMES_OF_A_RUN { canonical_run(bytes, end) } else { end };
            canonical %= FRAMES_OF_A_RUN;
            evidence.exact(&bytes[at..end]);
            at = end;
            continue;
        }
        canonical = 0;
        match loose::frame(bytes, at, None) {
            Some(reading) => {
                evidence.frame(&reading);
                at = reading.end.max(at + 1);
            }
            None => at = next_command(bytes, at + 1),
        }
    }
    evidence.origin()
}

fn next_command(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    memchr::memmem::find(rest, b"\n*").map_or(bytes.len(), |found| from + found + 1)
}

/// What the values of a log show.
struct Evidence {
    commands: u64,
    first: usize,
    /// The values with U+FFFD.
    replaced: u64,
    /// The characters in them beyond ASCII.
    characters: BTreeSet<char>,
    /// For each encoding, the values whose bytes in it are UTF-8 beyond ASCII.
    utf8: [u64; CodePage::ALL.len()],
    /// Whether all of them are words of letters.
    are_words: bool,
    /// Whether there is text beyond ASCII with lengths in bytes.
    is_mixed: bool,
}

impl Evidence {
    fn new(first: usize) -> Self {
        Evidence {
            commands: 0,
            first,
            replaced: 0,
            characters: BTreeSet::new(),
            utf8: [0; CodePage::ALL.len()],
            are_words: true,
            is_mixed: false,
        }
    }

    /// Adds bytes whose lengths are right.
    fn exact(&mut self, bytes: &[u8]) {
        self.is_mixed = self.is_mixed || !bytes.is_ascii();
    }

    fn frame(&mut self, reading: &Reading) {
        let Replacement::Command(args) = &reading.commands else { return };
        for (index, arg) in args.iter().enumerate() {
            match std::str::from_utf8(arg) {
                Ok(text) if reading.counted.contains(&index) => self.value(text),
                _ => self.exact(arg),
            }
        }
        self.commands += u64::from(!reading.counted.is_empty());
    }

    /// Adds a text whose length counts its characters.
    fn value(&mut self, text: &str) {
        if text.contains(REPLACEMENT) {
            self.replaced += 1;
            return;
        }
        let beyond: Vec<char> = text.chars().filter(|it| !it.is_ascii()).collect();
        let letters = beyond.iter().filter(|it| it.is_alphabetic()).count();
        let in_ascii = text.chars().filter(char::is_ascii_alphabetic).count();
        self.are_words &= letters == beyond.len() && in_ascii >= letters;
        for (page, count) in CodePage::ALL.into_iter().zip(&mut self.utf8) {
            let is_utf8 = page.bytes(text).is_some_and(|bytes| std::str::from_utf8(&bytes).is_ok());
            *count += u64::from(is_utf8);
        }
        if self.characters.len() <= MOST_CHARACTERS {
            self.characters.extend(beyond);
        }
    }

    fn origin(self) -> TextOrigin {
        let fits = |page: &CodePage| self.characters.iter().all(|it| page.byte(*it).is_some());
        let pages: Vec<CodePage> = CodePage::ALL.into_iter().filter(fits).collect();
        if self.replaced > 0 {
            return self.undecided(pages);
        }
        if pages.is_empty() {
            return TextOrigin::Certain(OriginalText::Same);
        }
        let utf8 = |page: &CodePage| {
            CodePage::ALL.iter().zip(self.utf8).find(|it| it.0 == page).map_or(0, |it| it.1)
        };
        let most = pages.iter().map(utf8).max().unwrap_or(0);
        if self.is_mixed {
            // A program reads all of a file in one encoding.
            return match most {
                0 => TextOrigin::Certain(OriginalText::Same),
                _ => self.undecided(pages),
            };
        }
        let best: Vec<CodePage> = pages.iter().copied().filter(|it| utf8(it) == most).collect();
        let is_control = |it: &char| ('\u{80}'..='\u{9f}').contains(it);
        let is_proved = most > 0 || self.characters.iter().any(is_control);
        match best.as_slice() {
            [first, others @ ..]
                if is_proved && others.iter().all(|it| self.equal(*first, *it)) =>
            {
                TextOrigin::Certain(OriginalText::Bytes(*first))
            }
            _ if most == 0 && self.are_words && !self.characters.iter().any(is_control) => {
                TextOrigin::Likely
            }
            _ => self.undecided(pages),
        }
    }

    /// Whether two encodings give the same bytes.
    fn equal(&self, one: CodePage, other: CodePage) -> bool {
        self.characters.iter().all(|it| one.byte(*it) == other.byte(*it))
    }

    fn undecided(self, pages: Vec<CodePage>) -> TextOrigin {
        TextOrigin::Undecided(UndecidedText {
            commands: self.commands,
            first: self.first as u64,
            replaced: self.replaced,
            pages,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::{Assumed, Change, Commands, undo};
    use super::*;
    use crate::aof::testing::frame;

    struct Any;

    impl Commands for Any {
        fn accepts(&self, _: &[u8], _: usize) -> bool {
            true
        }

        fn writes(&self, _: &[u8]) -> bool {
            true
        }
    }

    fn set(key: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
        frame(&[b"SET".to_vec(), key.into(), value.as_ref().to_vec()])
    }

    /// A program that reads bytes as text of one byte a character, and saves it in UTF-8.
    fn saved(bytes: &[u8], page: CodePage) -> Vec<u8> {
        static TABLES: LazyLock<Vec<BTreeMap<u8, char>>> = LazyLock::new(|| {
            let characters = || (0..=0x3000).filter_map(char::from_u32);
            let table =
                |page: CodePage| characters().filter_map(|it| Some((page.byte(it)?, it))).collect();
            CodePage::ALL.into_iter().map(table).collect()
        });
        let table = CodePage::ALL.into_iter().zip(&*TABLES).find(|it| it.0 == page).unwrap().1;
        bytes.iter().map(|byte| table[byte]).collect::<String>().into_bytes()
    }

    /// A program that writes commands, and counts characters.
    fn counted(values: &[&str]) -> Vec<u8> {
        let command = |(at, value): (usize, &&str)| {
            let len = value.chars().count();
            format!("*3\r\n$3\r\nSET\r\n$2\r\nk{at}\r\n${len}\r\n{value}\r\n").into_bytes()
        };
        values.iter().enumerate().flat_map(command).collect()
    }

    fn origin_of(bytes: &[u8]) -> TextOrigin {
        let first = (0..bytes.len()).find(|at| loose::frame(bytes, *at, None).is_some());
        text_origin(bytes, 0, first.expect("a command with a length in characters"))
    }

    fn undone(bytes: &[u8], assumed: Assumed) -> (Vec<u8>, Option<UndecidedText>, u64) {
        let mut out = Vec::new();
        let restoration = undo(bytes, 0, &Any, assumed, &mut out).unwrap();
        let assumed = restoration.undone.iter().map(|it| it.assumed).sum();
        (out, restoration.undecided_text, assumed)
    }

    #[test]
    fn text_that_was_read_in_another_encoding_is_known_by_what_it_becomes() {
        use CodePage::{Cp437, Latin1, Windows1252};
        let log = [set("a", "caf\u{e9}"), set("b", [0x80, 0xff, 0x9d]), set("c", "x")].concat();
        for page in [Latin1, Cp437] {
            assert_eq!(undone(&saved(&log, page), Assumed::default()), (log.clone(), None, 0));
        }
        // In Windows-1252, and in no other encoding, this is UTF-8.
        let log = set("a", "20 \u{20ac}");
        assert_eq!(undone(&saved(&log, Windows1252), Assumed::default()), (log.clone(), None, 0));
        // The mark before it is not of the text.
        let marked = |page| ["\u{feff}".as_bytes(), &saved(&log, page)].concat();
        assert_eq!(undone(&marked(Windows1252), Assumed::default()).0, log);
        // No text has control characters.
        let log = set("a", [0x80, 0x81, 0x90]);
        let certain = TextOrigin::Certain(OriginalText::Bytes(Latin1));
        assert_eq!(origin_of(&saved(&log, Latin1)), certain);
    }

    #[test]
    fn text_with_characters_of_no_byte_was_counted() {
        let certain = TextOrigin::Certain(OriginalText::Same);
        for values in [&["\u{65e5}\u{672c}"][..], &["caf\u{e9}", "\u{1f600}"], &["\u{430}\u{431}"]]
        {
            assert_eq!(origin_of(&counted(values)), certain, "{values:?}");
        }
        // Text beside it has lengths in bytes.
        let mixed = [set("a", "caf\u{e9}"), counted(&["caf\u{e9}"])].concat();
        assert_eq!(origin_of(&mixed), certain);
        assert_eq!(origin_of(&[counted(&["caf\u{e9}"]), set("a", [0xff])].concat()), certain);
        assert_eq!(origin_of(&counted(&["Z\u{fc}rich", "na\u{ef}ve"])), TextOrigin::Likely);
    }

    #[test]
    fn text_that_tells_nothing_is_undecided() {
        let pages = |bytes: &[u8]| match origin_of(bytes) {
            TextOrigin::Undecided(undecided) => undecided.pages,
            other => panic!("{other:?}"),
        };
        use CodePage::{Cp437, Cp850, Latin1, Windows1252};
        assert_eq!(pages(&counted(&["\u{e9}"])), [Latin1, Windows1252, Cp437, Cp850]);
        assert_eq!(pages(&counted(&["\u{2502}\u{2592}"])), [Cp437, Cp850]);
        // It becomes UTF-8, but a program that reads all of a file has not left the other text as it is.
        let both = [set("a", "caf\u{e9}"), counted(&["na\u{c3}\u{af}f"])].concat();
        assert_eq!(pages(&both), [Latin1, Windows1252, Cp850]);
        // C3 A9 in Latin-1, C7 B8 in code page 850: two characters of UTF-8.
        assert_eq!(pages(&counted(&["caf\u{c3}\u{a9}"])), [Latin1, Windows1252, Cp850]);
        let (_, undecided, _) = undone(&counted(&["\u{e9}"]), Assumed::default());
        assert_eq!(undecided.map(|it| (it.commands, it.first, it.replaced)), Some((1, 0, 0)));
    }

    #[test]
    fn assumed_text_is_taken() {
        let bytes = counted(&["\u{e9}"]);
        let assume = |text| Assumed { text: Some(text), ..Assumed::default() };
        assert_eq!(undone(&bytes, assume(OriginalText::Same)), (set("k0", "\u{e9}"), None, 1));
        for (page, byte) in [(CodePage::Latin1, 0xe9), (CodePage::Cp850, 0x82)] {
            let expected = (set("k0", [byte]), None, 1);
            assert_eq!(undone(&bytes, assume(OriginalText::Bytes(page))), expected);
        }
    }

    #[test]
    fn bytes_that_were_replaced_are_lost() {
        let value = [b"ab".as_slice(), &[0xf0, 0x9f, 0x98], b"cd", &[0xff, 0xc3, 0xa9]].concat();
        let log = [set("k", &value), set("z", "1")].concat();
        let saved = String::from_utf8_lossy(&log).into_owned().into_bytes();
        let (_, undecided, _) = undone(&saved, Assumed::default());
        assert_eq!(undecided.map(|it| (it.commands, it.replaced)), Some((1, 1)));
        let assumed = Assumed { text: Some(OriginalText::Same), ..Assumed::default() };
        let expected = [set("k", "ab\u{fffd}cd\u{fffd}\u{e9}"), set("z", "1")].concat();
        assert_eq!(undone(&saved, assumed).0, expected);
    }

    fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let value = prop_oneof![
            2 => "[ -~]{0,12}".prop_map(String::into_bytes),
            2 => "[a-z\u{e0}-\u{ff}\u{20ac}\u{430}-\u{44f}]{1,8}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 1..12),
        ];
        proptest::collection::vec(value, 1..8)
    }

    proptest! {
        #[test]
        fn log_that_was_saved_as_text_is_restored_or_not_certain(values in values(), page in 0..4usize) {
            let log: Vec<u8> = values.iter().flat_map(|value| set("k", value)).collect();
            let saved = saved(&log, CodePage::ALL[page]);
            // A CR that is read as a character, and values whose bytes end a line, are not of this.
            prop_assume!(!values.iter().any(|it| it.contains(&b'\r') || it.contains(&b'\n')));
            let (out, undecided, assumed) = undone(&saved, Assumed::default());
            if undecided.is_none() && assumed == 0 && saved != log {
                prop_assert_eq!(out, log);
            }
        }

        #[test]
        fn counted_text_is_restored_or_not_certain(values in proptest::collection::vec("[a-z\u{a0}-\u{ff}\u{20ac}\u{430}\u{1f600}]{1,9}", 1..6)) {
            let texts: Vec<&str> = values.iter().map(String::as_str).collect();
            let bytes = counted(&texts);
            let log: Vec<u8> =
                texts.iter().enumerate().flat_map(|(at, it)| set(&format!("k{at}"), it)).collect();
            let (out, undecided, _) = undone(&bytes, Assumed::default());
            // What becomes UTF-8 in another encoding is not what people write.
            let is_utf8 = |page: CodePage| {
                texts.iter().any(|it| {
                    !it.is_ascii() && page.bytes(it).is_some_and(|it| String::from_utf8(it).is_ok())
                })
            };
            if undecided.is_none() && bytes != log && !CodePage::ALL.into_iter().any(is_utf8) {
                prop_assert_eq!(out, log);
            }
        }
    }

    #[test]
    fn change_names_the_encoding() {
        let saved = saved(&set("a", "na\u{ef}ve caf\u{e9}"), CodePage::Latin1);
        let undone = undo(&saved, 0, &Any, Assumed::default(), &mut Vec::new()).unwrap().undone;
        let [undone] = undone.as_slice() else { panic!("{undone:?}") };
        let expected = (Change::TextEncoding, Some(CodePage::Latin1), 1);
        assert_eq!((undone.change, undone.encoding, undone.places), expected);
    }
}
