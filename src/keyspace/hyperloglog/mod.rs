//! HyperLogLogs: strings that estimate how many different elements were added to them.
//!
//! | bytes | what they hold |
//! |---|---|
//! | 0..4 | `HYLL` |
//! | 4 | the encoding of the registers: 0 dense, 1 sparse |
//! | 5..8 | nothing, as zeros |
//! | 8..16 | the count as it was last computed, little endian; its highest bit says that it is out of date |
//! | 16.. | 16384 registers |
//!
//! An element's hash picks a register by its lowest 14 bits; the register keeps the highest number of zeros, plus
//! one, with which the other bits began. Dense registers have six bits each, the lowest first, in 12288 bytes.
//! For sparse ones see `sparse`.
//!
//! Servers store these bytes as a string like any other, so that whatever a string can hold can stand here.
//! Checked against Redis 6.2, 7.0, 8.2 and Valkey 9.1 (`hyperloglog.c`).

mod count;
mod sparse;

use sparse::Opcodes;

/// The size with dense registers, in bytes.
const DENSE_SIZE: usize = HEADER + REGISTERS * REGISTER_BITS / 8;

const REGISTER_BITS: usize = 6;

const MAGIC: &[u8; 4] = b"HYLL";

/// How a register's hash bits end, so that no count is above 51.
const HASH_END: u64 = 1 << 50;

/// What servers do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Sparse registers that would make the string longer than so many bytes become dense.
    pub sparse_max_bytes: usize,
    /// Whether sparse registers with values behind the last register are corrupt. Redis 6.2 leaves such values out.
    /// *Observed* for 6.2.5 and 7.0.15, 8.2.3, Valkey 9.1.2.
    pub nothing_behind_the_last: bool,
}

/// How the registers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names say it.
pub enum Encoding {
    Dense,
    Sparse,
}

/// The encoding that the string names, if a server takes the string for a HyperLogLog. The registers may be
/// corrupt nevertheless.
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    let header: &[u8; HEADER] = bytes.first_chunk()?;
    match header[4] {
        0 if header.starts_with(MAGIC) && bytes.len() == DENSE_SIZE => Some(Encoding::Dense),
        1 if header.starts_with(MAGIC) => Some(Encoding::Sparse),
        _ => None,
    }
}

/// One to which nothing was added.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4] = 1;
    bytes.extend(sparse::ALL_ZERO);
    bytes
}

/// Whether the count that is stored is that of the registers.
///
/// # Panics
///
/// When the string has no [`encoding`]; so do the functions below.
pub fn is_counted(bytes: &[u8]) -> bool {
    bytes[15] & 0x80 == 0
}

/// Notes that the count that is stored is out of date.
pub fn forget_count(bytes: &mut [u8]) {
    bytes[15] |= 0x80;
}

/// Computes the count and stores it.
///
/// # Errors
///
/// When the registers are corrupt. Nothing is stored then.
pub fn store_count(bytes: &mut [u8]) -> Result<(), Corrupt> {
    let count = count::estimate(&histogram(bytes)?);
    bytes[8..16].copy_from_slice(&count.to_le_bytes());
    Ok(())
}

/// How many registers have each value.
fn histogram(bytes: &[u8]) -> Result<[u32; 64], Corrupt> {
    let mut histogram = [0; 64];
    let registers = &bytes[HEADER..];
    match encoding(bytes) {
        Some(Encoding::Dense) => {
            (0..REGISTERS).for_each(|at| histogram[usize::from(dense(registers, at))] += 1);
        }
        _ => {
            let mut covered: usize = 0;
            for opcode in Opcodes::of(registers) {
                covered = covered.saturating_add(opcode.registers);
                if covered > REGISTERS {
                    return Err(Corrupt::Told);
                }
                let registers = u32::try_from(opcode.registers).map_err(|_| Corrupt::Told)?;
                histogram[usize::from(opcode.value)] += registers;
            }
            if covered != REGISTERS {
                return Err(Corrupt::Told);
            }
        }
    }
    Ok(histogram)
}

/// Adds an element, and says whether that changed a register; then the stored count is out of date.
///
/// # Errors
///
/// When the registers are corrupt where they are looked at. Nothing is changed then.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], rules: Rules) -> Result<bool, Corrupt> {
    let hash = hash(element);
    #[allow(clippy::cast_possible_truncation)] // 14 bits.
    let register = hash as usize % REGISTERS;
    let zeros = (hash >> 14 | HASH_END).trailing_zeros();
    #[allow(clippy::cast_possible_truncation)] // 51 at most.
    let value = zeros as u8 + 1;
    let changed = raise(bytes, register, value, rules)?;
    if changed {
        forget_count(bytes);
    }
    Ok(changed)
}

/// Raises a register to a value, if it is lower.
fn raise(bytes: &mut Vec<u8>, register: usize, value: u8, rules: Rules) -> Result<bool, Corrupt> {
    if encoding(bytes) == Some(Encoding::Dense) {
        return Ok(raise_dense(&mut bytes[HEADER..], register, value));
    }
    match sparse::raise(bytes, register, value, rules.sparse_max_bytes)? {
        sparse::Raised::Changed => Ok(true),
        sparse::Raised::High => Ok(false),
        sparse::Raised::NoRoom => {
            make_dense(bytes, rules)?;
            Ok(raise_dense(&mut bytes[HEADER..], register, value))
        }
    }
}

/// Makes the registers dense, and says whether they were sparse. The stored count stays.
///
/// # Errors
///
/// When the registers are corrupt. Nothing is changed then.
pub fn make_dense(bytes: &mut Vec<u8>, rules: Rules) -> Result<bool, Corrupt> {
    if encoding(bytes) == Some(Encoding::Dense) {
        return Ok(false);
    }
    let mut whole = vec![0; DENSE_SIZE];
    whole[..HEADER].copy_from_slice(&bytes[..HEADER]);
    whole[4] = 0;
    each_sparse(&bytes[HEADER..], rules, |register, value| {
        raise_dense(&mut whole[HEADER..], register, value);
    })?;
    *bytes = whole;
    Ok(true)
}

/// Calls `found` with each sparse register that is not zero.
fn each_sparse(
    registers: &[u8],
    rules: Rules,
    mut found: impl FnMut(usize, u8),
) -> Result<(), Corrupt> {
    let mut covered: usize = 0;
    for opcode in Opcodes::of(registers) {
        let end = covered.saturating_add(opcode.registers);
        if end > REGISTERS {
            if opcode.value != 0 && covered == REGISTERS && !rules.nothing_behind_the_last {
                break;
            }
            return Err(Corrupt::Told);
        }
        if opcode.value != 0 {
            (covered..end).for_each(|register| found(register, opcode.value));
        }
        covered = end;
    }
    if covered == REGISTERS { Ok(()) } else { Err(Corrupt::Told) }
}

/// The highest values of the registers of several HyperLogLogs.
pub struct Union {
    registers: Box<[u8]>,
    dense: bool,
}

impl Default for Union {
    fn default() -> Self {
        Union { registers: vec![0; REGISTERS].into(), dense: false }
    }
}

impl Union {
    /// Adds one.
    ///
    /// # Errors
    ///
    /// When its registers are corrupt.
    pub fn add(&mut self, bytes: &[u8], rules: Rules) -> Result<(), Corrupt> {
        let registers = &bytes[HEADER..];
        if encoding(bytes) == Some(Encoding::Dense) {
            self.dense = true;
            for (at, highest) in self.registers.iter_mut().enumerate() {
                *highest = dense(registers, at).max(*highest);
            }
            return Ok(());
        }
        each_sparse(registers, rules, |at, value| {
            self.registers[at] = value.max(self.registers[at]);
        })
    }

    /// Raises the registers of the destination to these. They become dense if one that was added was.
    ///
    /// # Errors
    ///
    /// When its registers are corrupt.
    pub fn store(&self, bytes: &mut Vec<u8>, rules: Rules) -> Result<(), Corrupt> {
        if self.dense {
            make_dense(bytes, rules)?;
        }
        for (register, &value) in
            self.registers.iter().enumerate().filter(|(_, value)| **value != 0)
        {
            raise(bytes, register, value, rules)?;
        }
        forget_count(bytes);
        Ok(())
    }
}

/// The value of a dense register.
fn dense(registers: &[u8], register: usize) -> u8 {
    let (byte, shift) = (register * REGISTER_BITS / 8, register * REGISTER_BITS % 8);
    // The last register ends with its byte.
    let next = registers.get(byte + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([registers[byte], next]) >> shift).to_le_bytes()[0] & 63
}

/// Raises a dense register to a value, if it is lower.
fn raise_dense(registers: &mut [u8], register: usize, value: u8) -> bool {
    if dense(registers, register) >= value {
        return false;
    }
    let (byte, shift) = (register * REGISTER_BITS / 8, register * REGISTER_BITS % 8);
    let [clear, next_clear] = (63_u16 << shift).to_le_bytes();
    let [set, next_set] = (u16::from(value) << shift).to_le_bytes();
    registers[byte] = registers[byte] & !clear | set;
    if let Some(next) = registers.get_mut(byte + 1) {
        *next = *next & !next_clear | next_set;
    }
    true
}

/// MurmurHash64A of an element, with the servers' seed.
fn hash(element: &[u8]) -> u64 {
    const FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
    const SEED: u64 = 0xadc8_3b19;
    let mix = |word: u64| {
        let word = word.wrapping_mul(FACTOR);
        (word ^ word >> 47).wrapping_mul(FACTOR)
    };
    let mut hash = SEED ^ (element.len() as u64).wrapping_mul(FACTOR);
    let (words, rest) = element.as_chunks::<8>();
    for word in words {
        hash = (hash ^ mix(u64::from_le_bytes(*word))).wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
    }
    let hash = (hash ^ hash >> 47).wrapping_mul(FACTOR);
    hash ^ hash >> 47
}

mod layout;
#[cfg(test)]
mod tests;

pub use layout::Corrupt;
use layout::{HEADER, REGISTERS};
