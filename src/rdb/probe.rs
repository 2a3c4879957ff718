//! Reading single places of a damaged RDB.

use super::driver::Driver;
use super::format::opcode;
use super::header::Header;
use super::reader::Tools;
use super::visitor::{Key, Visitor, Want};

/// Returns the length of the RDB if its end opcode, which precedes byte `at`, is plausible: the file ends after the
/// checksum, or commands or zero bytes follow.
pub(super) fn end_of_rdb(bytes: &[u8], header: Header, at: usize) -> Option<usize> {
    let len = if header.has_checksum() { at.checked_add(8)? } else { at };
    let ends = match bytes.get(len..)? {
        rest if begins_commands(rest) => true,
        rest => rest.iter().all(|byte| *byte == 0),
    };
    ends.then_some(len)
}

/// Returns whether the sizes of a database follow its number at byte `at`, as servers write them since version 7.
pub(super) fn selects_with_sizes(bytes: &[u8], at: usize) -> bool {
    let length = match bytes.get(at + 1) {
        Some(0..0x40) => 1,
        Some(0x40..0x80) => 2,
        Some(0x80) => 5,
        _ => return false,
    };
    bytes.get(at + 1 + length) == Some(&opcode::RESIZE_DB)
}

/// Returns whether bytes begin as the commands after an RDB do: with the header of a frame, or with a timestamp.
fn begins_commands(bytes: &[u8]) -> bool {
    let Some(after) = bytes.strip_prefix(b"*") else { return bytes.starts_with(b"#TS:") };
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=7).contains(&digits) && after[digits..].starts_with(b"\r\n$")
}

/// Returns where the record at byte `at` ends according to its lengths alone.
pub(super) fn length_without_checks(bytes: &[u8], header: Header, at: usize) -> Option<usize> {
    let mut tools = Tools::new();
    let mut skip = Skip::default();
    let mut driver = Driver::new(bytes, &mut skip, &mut tools);
    driver.go_to(header, 0, at);
    driver.one_record().ok()?;
    Some(driver.reader.cursor.pos())
}

/// Returns the name of the key whose record begins at byte `at`.
pub(super) fn name_at(bytes: &[u8], header: Header, at: usize) -> Option<Vec<u8>> {
    let mut tools = Tools::new();
    let mut skip = Skip::default();
    let mut driver = Driver::new(bytes, &mut skip, &mut tools);
    driver.go_to(header, 0, at);
    let _ = driver.one_record();
    skip.name
}

/// Steps over values.
#[derive(Default)]
struct Skip {
    name: Option<Vec<u8>>,
}

impl<'a> Visitor<'a> for Skip {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.name = Some(key.name.to_vec());
        Want::Skip
    }
}
