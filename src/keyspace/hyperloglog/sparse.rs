//! Sparse registers: runs of registers with the same value.
//!
//! | bytes | the value, and the number of consecutive registers with it |
//! |---|---|
//! | `00nnnnnn` | 0, in n + 1 registers |
//! | `01nnnnnn nnnnnnnn` | 0, in n + 1 registers |
//! | `1vvvvvnn` | v + 1, in n + 1 registers |
//!
//! Many sequences represent the same registers, so the way in which a register is raised is visible
//! in the bytes. A server splits the one opcode that covers the register, and then joins equal
//! values among five opcodes, starting with the previous one.

use crate::keyspace::hyperloglog::layout::{Corrupt, HEADER};

/// 16384 zeros.
pub(super) const ALL_ZERO: [u8; 2] = [0x7f, 0xff];

/// The highest value that can be stored.
const HIGHEST: u8 = 32;

/// Maximum number of registers of one opcode with a value.
const LONGEST_RUN: usize = 4;

/// Number of opcodes that are checked when equal values are joined.
const JOINED: usize = 5;

/// A run of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opcode {
    /// Their value, at most 32.
    pub(super) value: u8,
    /// Number of registers, at least one.
    pub(super) registers: usize,
    /// Number of bytes.
    bytes: usize,
}

impl Opcode {
    /// Returns the opcode at the start. The second byte of a truncated one is the zero that servers
    /// store after every string.
    fn first(bytes: &[u8]) -> Option<Opcode> {
        let (&first, rest) = bytes.split_first()?;
        let (value, registers, bytes) = match first >> 6 {
            0 => (0, usize::from(first), 1),
            1 => {
                let second = rest.first().copied().unwrap_or(0);
                (0, usize::from(first & 0x3f) << 8 | usize::from(second), 2)
            }
            _ => (first >> 2 & 0x1f, usize::from(first & 3), 1),
        };
        let value = if first & 0x80 == 0 { 0 } else { value + 1 };
        Some(Opcode { value, registers: registers + 1, bytes })
    }

    fn is_value(byte: Option<&u8>) -> bool {
        byte.is_some_and(|byte| byte & 0x80 != 0)
    }
}

/// An iterator over the opcodes of sparse registers.
pub(super) struct Opcodes<'b>(&'b [u8]);

impl<'b> Opcodes<'b> {
    pub(super) fn new(registers: &'b [u8]) -> Self {
        Opcodes(registers)
    }
}

impl Iterator for Opcodes<'_> {
    type Item = Opcode;

    #[inline]
    fn next(&mut self) -> Option<Opcode> {
        let opcode = Opcode::first(self.0)?;
        self.0 = self.0.get(opcode.bytes..).unwrap_or(&[]);
        Some(opcode)
    }
}

/// Opcodes that replace one: at most five bytes.
#[derive(Default)]
struct Sequence {
    bytes: [u8; 5],
    len: usize,
}

impl Sequence {
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    #[allow(clippy::cast_possible_truncation)] // Fewer than 16384 registers.
    fn push_zeros(&mut self, registers: usize) {
        match registers {
            0 => {}
            1..=64 => self.push(registers as u8 - 1),
            _ => {
                self.push(0x40 | ((registers - 1) >> 8) as u8);
                self.push((registers - 1) as u8);
            }
        }
    }

    fn push_value(&mut self, value: u8, registers: usize) {
        if registers > 0 {
            self.push(value_opcode(value, registers));
        }
    }
}

/// Returns the opcode of one to four registers with this value, which is at least one.
#[allow(clippy::cast_possible_truncation)] // Two bits.
fn value_opcode(value: u8, registers: usize) -> u8 {
    0x80 | (value - 1) << 2 | (registers - 1) as u8
}

/// The result of raising a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raised {
    /// It has the value now.
    Changed,
    /// It already had this value or a higher one.
    High,
    /// Sparse registers cannot store it; nothing was changed.
    NoRoom,
}

/// Raises a register of a HyperLogLog with sparse registers (`hllSparseSet`).
pub(super) fn raise(
    whole: &mut Vec<u8>,
    register: usize,
    value: u8,
    max_bytes: usize,
) -> Result<Raised, Corrupt> {
    if value > HIGHEST {
        return Ok(Raised::NoRoom);
    }
    // The opcode that covers the register, and the previous one.
    let (mut at, mut before, mut first) = (HEADER, HEADER, 0);
    let opcode = loop {
        let rest = whole.get(at..).unwrap_or(&[]);
        let opcode = Opcode::first(rest).ok_or(Corrupt::Told)?;
        if register < first + opcode.registers {
            break opcode;
        }
        before = at;
        at += opcode.bytes;
        first += opcode.registers;
    };
    if at + opcode.bytes > whole.len() {
        return Err(Corrupt::BehindTheEnd);
    }
    if opcode.value >= value {
        return Ok(Raised::High);
    }
    let (left, right) = (register - first, first + opcode.registers - 1 - register);
    let mut sequence = Sequence::default();
    if opcode.value == 0 {
        sequence.push_zeros(left);
        sequence.push_value(value, 1);
        sequence.push_zeros(right);
    } else {
        sequence.push_value(opcode.value, left);
        sequence.push_value(value, 1);
        sequence.push_value(opcode.value, right);
    }
    let grown = sequence.len.saturating_sub(opcode.bytes);
    if grown > 0 && whole.len() + grown > max_bytes {
        return Ok(Raised::NoRoom);
    }
    whole.splice(at..at + opcode.bytes, sequence.bytes[..sequence.len].iter().copied());
    join_equal(whole, before);
    Ok(Raised::Changed)
}

/// Joins adjacent equal values among the first opcodes from `at` on.
fn join_equal(whole: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED {
        let Some(one) = whole.get(at..).and_then(Opcode::first) else {
            return;
        };
        // A value has one byte.
        if one.value != 0 && Opcode::is_value(whole.get(at + 1)) {
            let two = whole.get(at + 1..).and_then(Opcode::first);
            let joined = one.registers + two.map_or(0, |two| two.registers);
            if two.is_some_and(|two| two.value == one.value) && joined <= LONGEST_RUN {
                whole[at + 1] = value_opcode(one.value, joined);
                whole.remove(at);
                // The joined opcode is checked again.
                continue;
            }
        }
        at += one.bytes;
    }
}
