//! Encodings with one byte a character, as which programs read bytes that are not text.
//!
//! A program that reads a file as text in such an encoding and saves it in UTF-8 or UTF-16 loses nothing: each byte has a
//! character of its own. The tables are those of the Unicode Consortium (`MAPPINGS/VENDORS/MICSFT/PC`), and for
//! `windows-1252` that of the Encoding Standard, which maps the bytes without a character to control characters.

use std::fmt;

use serde::Serialize;

/// An encoding with one byte a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodePage {
    /// ISO 8859-1: each byte is the character with its number.
    #[serde(rename = "latin-1")]
    Latin1,
    /// The code page of Windows in Western languages.
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// The code page of consoles in the United States.
    #[serde(rename = "cp437")]
    Cp437,
    /// The code page of consoles in Western Europe.
    #[serde(rename = "cp850")]
    Cp850,
}

/// The characters of the bytes from 0x80 to 0x9f.
const WINDOWS_1252: &str = "\u{20ac}\u{81}\u{201a}\u{192}\u{201e}\u{2026}\u{2020}\u{2021}\u{2c6}\u{2030}\u{160}\u{2039}\u{152}\u{8d}\u{17d}\u{8f}\
\u{90}\u{2018}\u{2019}\u{201c}\u{201d}\u{2022}\u{2013}\u{2014}\u{2dc}\u{2122}\u{161}\u{203a}\u{153}\u{9d}\u{17e}\u{178}";

/// The characters of the bytes from 0x80 on.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The characters of the bytes from 0x80 on.
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// The first byte that is not ASCII.
const FIRST: u8 = 0x80;

impl CodePage {
    /// All of them.
    pub(crate) const ALL: [CodePage; 4] =
        [CodePage::Latin1, CodePage::Windows1252, CodePage::Cp437, CodePage::Cp850];

    /// Returns the byte of a character, if it has one.
    pub(crate) fn byte(self, character: char) -> Option<u8> {
        if character.is_ascii() {
            return u8::try_from(character).ok();
        }
        let in_table = |table: &str| {
            let at = table.chars().position(|it| it == character)?;
            FIRST.checked_add(u8::try_from(at).ok()?)
        };
        match self {
            CodePage::Latin1 => u8::try_from(character).ok(),
            CodePage::Windows1252 => match character {
                '\u{80}'..='\u{9f}' => in_table(WINDOWS_1252),
                _ => u8::try_from(character).ok().or_else(|| in_table(WINDOWS_1252)),
            },
            CodePage::Cp437 => in_table(CP437),
            CodePage::Cp850 => in_table(CP850),
        }
    }

    /// Returns the bytes of a text, if each of its characters has one.
    pub(crate) fn bytes(self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|character| self.byte(character)).collect()
    }

    /// Returns the name, as options have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CodePage::Latin1 => "latin-1",
            CodePage::Windows1252 => "windows-1252",
            CodePage::Cp437 => "cp437",
            CodePage::Cp850 => "cp850",
        }
    }
}

impl fmt::Display for CodePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CodePage::Latin1 => "Latin-1",
            CodePage::Windows1252 => "Windows-1252",
            CodePage::Cp437 => "code page 437",
            CodePage::Cp850 => "code page 850",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_byte_has_one_character() {
        for page in CodePage::ALL {
            let all = (0..=0x10_ffff).filter_map(char::from_u32);
            let mapped: Vec<(char, u8)> =
                all.filter_map(|it| page.byte(it).map(|byte| (it, byte))).collect();
            let bytes: BTreeSet<u8> = mapped.iter().map(|it| it.1).collect();
            assert_eq!((mapped.len(), bytes.len()), (256, 256), "{page}");
            assert!(mapped.iter().all(|(it, byte)| !it.is_ascii() || *byte as u32 == *it as u32));
        }
    }

    #[test]
    fn known_characters_have_their_bytes() {
        // iconv -f UTF-8 -t LATIN1, CP1252, CP437, CP850 of glibc.
        let bytes = |text: &str| CodePage::ALL.map(|page| page.bytes(text));
        let same = |byte: u8| Some(vec![byte]);
        assert_eq!(bytes("é"), [same(0xe9), same(0xe9), same(0x82), same(0x82)]);
        assert_eq!(bytes("€"), [None, same(0x80), None, None]);
        assert_eq!(bytes("├"), [None, None, same(0xc3), same(0xc3)]);
        assert_eq!(bytes("⌐"), [None, None, same(0xa9), None]);
        assert_eq!(bytes("®"), [same(0xae), same(0xae), None, same(0xa9)]);
        assert_eq!(bytes("日"), [None, None, None, None]);
        assert_eq!(CodePage::Cp437.bytes("caf├⌐"), Some("café".as_bytes().to_vec()));
    }
}
