//! Sparse registers: runs of registers with the same value.
//!
//! | bytes | the value, and how many registers in a row have it |
//! |---|---|
//! | `00nnnnnn` | 0, in n + 1 registers |
//! | `01nnnnnn nnnnnnnn` | 0, in n + 1 registers |
//! | `1vvvvvnn` | v + 1, in n + 1 registers |
//!
//! How a register is raised shows in the bytes, for many sequences stand for the same registers. A server splits
//! the one opcode that covers the register, and then joins equal values among the five opcodes from the one
//! before on.

use crate::keyspace::hyperloglog::layout::{Corrupt, HEADER};

/// 16384 zeros.
pub(super) const ALL_ZERO: [u8; 2] = [0x7f, 0xff];

/// The highest value that can be stored.
const HIGHEST: u8 = 32;

/// The most registers of one opcode with a value.
const LONGEST_RUN: usize = 4;

/// How many opcodes are looked at when equal values are joined.
const JOINED: usize = 5;

/// A run of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opcode {
    /// Their value; 32 at most.
    pub(super) value: u8,
    /// How many they are; at least one.
    pub(super) registers: usize,
    /// How many bytes it takes.
    bytes: usize,
}

impl Opcode {
    /// The opcode at the start. The second byte of one that is cut off is the zero that servers keep behind every
    /// string.
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

/// The opcodes of sparse registers, in their order.
pub(super) struct Opcodes<'b>(&'b [u8]);

impl<'b> Opcodes<'b> {
    pub(super) fn of(registers: &'b [u8]) -> Self {
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

/// Opcodes that take the place of one: at most five bytes.
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

/// The opcode of at most four registers with this value, both from one on.
#[allow(clippy::cast_possible_truncation)] // Two bits.
fn value_opcode(value: u8, registers: usize) -> u8 {
    0x80 | (value - 1) << 2 | (registers - 1) as u8
}

/// How raising a register ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raised {
    /// It has the value now.
    Changed,
    /// It had this value or a higher one.
    High,
    /// Sparse registers cannot hold it; nothing was changed.
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
    // The opcode that covers the register, and the one before it.
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

/// Joins values that are equal and stand beside each other, among the first opcodes from `at` on.
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
                // What was joined is looked at again.
                continue;
            }
        }
        at += one.bytes;
    }
}
