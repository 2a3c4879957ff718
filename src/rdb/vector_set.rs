//! The version of the nodes of a vector set, which Redis stores as the value of a module.
//!
//! A node follows its element and its vector, which are strings: the number of its parameters, its id, and
//! its level. Since Redis 8.2, the level has a version number in the bits from 24 on; Redis 8.0 takes such a
//! number for a level that is too high, and refuses the value. *Observed* in the values that 8.0, 8.2 and 8.6
//! write.

use super::cursor::Cursor;
use super::fault::Read;

/// The bits of the level below the version.
const LEVEL_BITS: u32 = 24;

/// Returns the version of the nodes of a vector set: 0 of Redis 8.0, 1 of Redis 8.2 to 8.6; `None` if the
/// value is not laid out like one with a node. `payload` begins with the id of its type.
pub fn vector_node_version(payload: &[u8]) -> Option<u64> {
    first_level(payload).ok().flatten().map(|level| level >> LEVEL_BITS)
}

/// Returns the level of the first node with its version: the third of the numbers that follow a string.
fn first_level(payload: &[u8]) -> Read<Option<u64>> {
    const READING: &str = "a part of a vector set";
    let mut cursor = Cursor::at(payload, 0);
    cursor.length(READING)?;
    let mut numbers = None;
    loop {
        match cursor.length(READING)? {
            1 | 2 => {
                let number = cursor.length(READING)?;
                numbers = numbers.map(|count: u32| count + 1);
                if numbers == Some(3) {
                    return Ok(Some(number));
                }
            }
            3 => {
                cursor.fixed::<4>(READING)?;
            }
            4 => {
                cursor.fixed::<8>(READING)?;
            }
            5 => {
                cursor.text(READING)?;
                numbers = Some(0);
            }
            _ => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by Redis 8.0.2: `VADD v VALUES 2 0 1 e0`, and two more elements.
    const OF_8_0: &[u8] =
        b"\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\0\x02\x02\x02\x03\x02\x50\x01\x02\0\x05\x02\x65\x32\
        \x05\x02\x7f\x3f\x02\x0a\x02\x03\x02\x01\x02\x02";
    /// Written by Redis 8.2.3 and 8.6.3 for the same commands.
    const OF_8_2: &[u8] =
        b"\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\0\x02\x02\x02\x03\x02\x50\x01\x02\0\x05\x02\x65\x32\
        \x05\x02\x7f\x3f\x02\x08\x02\x03\x02\x80\x01\0\0\0\x02\x02";

    #[test]
    fn nodes_have_a_version_since_redis_8_2() {
        assert_eq!(vector_node_version(OF_8_0), Some(0));
        assert_eq!(vector_node_version(OF_8_2), Some(1));
    }

    #[test]
    fn a_value_without_a_node_has_no_version() {
        for len in 0..OF_8_2.len() - 2 {
            let found = vector_node_version(&OF_8_2[..len]);
            assert!(found.is_none() || len > OF_8_2.len() - 4, "{len}: {found:?}");
        }
        assert_eq!(vector_node_version(b"\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\0\0"), None);
    }
}
