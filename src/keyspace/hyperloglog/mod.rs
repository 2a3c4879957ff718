//! HyperLogLogs: strings that estimate the number of distinct elements that were added to them.
//!
//! | bytes | content |
//! |---|---|
//! | 0..4 | `HYLL` |
//! | 4 | the encoding of the registers: 0 dense, 1 sparse |
//! | 5..8 | unused, zero |
//! | 8..16 | the most recently computed count, little endian; the highest bit marks it as out of date |
//! | 16.. | 16384 registers |
//!
//! The lowest 14 bits of an element's hash select a register; the register stores the highest
//! number of leading zeros of the other bits, plus one. Dense registers have six bits each, the
//! lowest first, in 12288 bytes. For sparse ones see `sparse`.
//!
//! Servers store these bytes as a string like any other, so they can be arbitrary. Checked against
//! Redis 6.2, 7.0, 8.2 and Valkey 9.1 (`hyperloglog.c`).

mod count;
mod sparse;

use sparse::Opcodes;

/// Size with dense registers, in bytes.
const DENSE_SIZE: usize = HEADER + REGISTERS * REGISTER_BITS / 8;

const REGISTER_BITS: usize = 6;

const MAGIC: &[u8; 4] = b"HYLL";

/// Terminates the hash bits of a register, so that no count exceeds 51.
const HASH_END: u64 = 1 << 50;

/// The rules that differ between servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Sparse registers are converted to dense ones if the string would exceed this size in bytes.
    pub sparse_max_bytes: usize,
    /// Whether sparse registers with values after the last register are corrupt. Redis 6.2 ignores
    /// such values. *Observed* for 6.2.5 and 7.0.15, 8.2.3, Valkey 9.1.2.
    pub nothing_behind_the_last: bool,
}

/// The encoding of the registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are self-explanatory.
pub enum Encoding {
    Dense,
    Sparse,
}

/// Returns the encoding of the string, if a server accepts it as a HyperLogLog. The registers may
/// be corrupt nevertheless.
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    let header: &[u8; HEADER] = bytes.first_chunk()?;
    match header[4] {
        0 if header.starts_with(MAGIC) && bytes.len() == DENSE_SIZE => Some(Encoding::Dense),
        1 if header.starts_with(MAGIC) => Some(Encoding::Sparse),
        _ => None,
    }
}

/// Returns an empty HyperLogLog.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4] = 1;
    bytes.extend(sparse::ALL_ZERO);
    bytes
}

/// Returns whether the stored count is up to date.
///
/// # Panics
///
/// Panics if the string has no [`encoding`]; so do the functions below.
pub fn is_counted(bytes: &[u8]) -> bool {
    bytes[15] & 0x80 == 0
}

/// Marks the stored count as out of date.
pub fn forget_count(bytes: &mut [u8]) {
    bytes[15] |= 0x80;
}

/// Computes the count and stores it.
///
/// # Errors
///
/// Fails if the registers are corrupt. Nothing is stored in that case.
pub fn store_count(bytes: &mut [u8]) -> Result<(), Corrupt> {
    let count = count::estimate(&histogram(bytes)?);
    bytes[8..16].copy_from_slice(&count.to_le_bytes());
    Ok(())
}

/// Returns the number of registers with each value.
fn histogram(bytes: &[u8]) -> Result<[u32; 64], Corrupt> {
    let mut histogram = [0; 64];
    let registers = &bytes[HEADER..];
    match encoding(bytes) {
        Some(Encoding::Dense) => {
            (0..REGISTERS).for_each(|at| histogram[usize::from(dense(registers, at))] += 1);
        }
        _ => {
            let mut covered: usize = 0;
            for opcode in Opcodes::new(registers) {
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

/// Adds an element, and returns whether that changed a register, in which case the stored count is
/// out of date.
///
/// # Errors
///
/// Fails if the registers that are accessed are corrupt. Nothing is changed in that case.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], rules: Rules) -> Result<bool, Corrupt> {
    let hash = hash(element);
    #[allow(clippy::cast_possible_truncation)] // 14 bits.
    let register = hash as usize % REGISTERS;
    let zeros = (hash >> 14 | HASH_END).trailing_zeros();
    #[allow(clippy::cast_possible_truncation)] // At most 51.
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

/// Converts the registers to dense ones, and returns whether they were sparse. The stored count is
/// unchanged.
///
/// # Errors
///
/// Fails if the registers are corrupt. Nothing is changed in that case.
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
    for opcode in Opcodes::new(registers) {
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
    /// Adds a HyperLogLog.
    ///
    /// # Errors
    ///
    /// Fails if its registers are corrupt.
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

    /// Raises the registers of the destination to these. They are converted to dense ones if any of
    /// the added ones was dense.
    ///
    /// # Errors
    ///
    /// Fails if the registers of the destination are corrupt.
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

/// Returns the value of a dense register.
fn dense(registers: &[u8], register: usize) -> u8 {
    let (byte, shift) = (register * REGISTER_BITS / 8, register * REGISTER_BITS % 8);
    // The last register ends at the end of its byte.
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
    let mix = |block: u64| {
        let block = block.wrapping_mul(FACTOR);
        (block ^ block >> 47).wrapping_mul(FACTOR)
    };
    let mut hash = SEED ^ (element.len() as u64).wrapping_mul(FACTOR);
    let (blocks, rest) = element.as_chunks::<8>();
    for block in blocks {
        hash = (hash ^ mix(u64::from_le_bytes(*block))).wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let mut block = [0; 8];
        block[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(block)).wrapping_mul(FACTOR);
    }
    let hash = (hash ^ hash >> 47).wrapping_mul(FACTOR);
    hash ^ hash >> 47
}

mod layout;
#[cfg(test)]
mod tests;

pub use layout::Corrupt;
use layout::{HEADER, REGISTERS};
