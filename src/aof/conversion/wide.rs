//! Logs that were saved as UTF-16, as PowerShell's `>` and some editors do.

use std::io::{self, Write};

/// Writes text in UTF-16 as bytes, and returns whether every character is one byte of a log: of a character beyond
/// ASCII it is not known which bytes it was, so nothing after it is certain. `None` if it is not UTF-16.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn narrow(bytes: &[u8], out: &mut dyn Write) -> io::Result<Option<bool>> {
    let Some((low_first, text)) = wide_text(bytes) else { return Ok(None) };
    let units = text.chunks_exact(2).map(|pair| match low_first {
        true => u16::from_le_bytes([pair[0], pair[1]]),
        false => u16::from_be_bytes([pair[0], pair[1]]),
    });
    let mut is_exact = text.len().is_multiple_of(2);
    for character in char::decode_utf16(units) {
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        is_exact &= character.is_ascii();
        let mut buffer = [0; 4];
        out.write_all(character.encode_utf8(&mut buffer).as_bytes())?;
    }
    Ok(Some(is_exact))
}

/// Returns whether the lower byte of each character of text in UTF-16 is its first, and the text without the byte order mark.
/// `None` if it is not UTF-16.
pub(crate) fn wide_text(bytes: &[u8]) -> Option<(bool, &[u8])> {
    match bytes {
        [0xff, 0xfe, text @ ..] => Some((true, text)),
        [0xfe, 0xff, text @ ..] => Some((false, text)),
        _ if is_wide(bytes, 1) => Some((true, bytes)),
        _ if is_wide(bytes, 0) => Some((false, bytes)),
        _ => None,
    }
}

/// Whether text of two bytes a character begins here, the zero of each at `zero`.
fn is_wide(head: &[u8], zero: usize) -> bool {
    const PAIRS: usize = 4;
    let is_text = |byte: u8| byte.is_ascii_graphic() || b" \t\r\n".contains(&byte);
    let is_pair = |pair: &[u8]| pair[zero] == 0 && is_text(pair[1 - zero]);
    head.len() >= 2 * PAIRS && head.chunks_exact(2).take(PAIRS).all(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(bytes: &[u8]) -> (Option<bool>, Vec<u8>) {
        let mut out = Vec::new();
        let exact = narrow(bytes, &mut out).unwrap();
        (exact, out)
    }

    #[test]
    fn text_of_both_byte_orders_is_read() {
        let log = "*1\r\n$4\r\nPING\r\n";
        for mark in [true, false] {
            for low_first in [true, false] {
                let unit =
                    |unit: u16| if low_first { unit.to_le_bytes() } else { unit.to_be_bytes() };
                let mark = mark.then_some(0xfeff);
                let bytes: Vec<u8> =
                    mark.into_iter().chain(log.encode_utf16()).flat_map(unit).collect();
                assert_eq!(narrowed(&bytes), (Some(true), log.as_bytes().to_vec()));
            }
        }
        assert_eq!(narrowed(log.as_bytes()), (None, vec![]));
        let other: Vec<u8> =
            "\u{feff}$2\r\n\u{e9}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(narrowed(&other), (Some(false), "$2\r\n\u{e9}".as_bytes().to_vec()));
    }
}
