//! Making a finished deflate stream one that goes on.
//!
//! A stream consists of blocks, the last of which is marked in its first bit, and does not end at a byte. So the codes of
//! all blocks are read, without what they mean, to find that bit and the end (RFC 1951).

/// The order in which the lengths of the codes of code lengths are stored.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The number of codes of literals and lengths, and of distances.
const LITERALS: usize = 288;
const DISTANCES: usize = 32;

/// The number of the code that ends a block; those of lengths follow.
const END_OF_BLOCK: usize = 256;

/// The longest code in bits.
const CODE_BITS: usize = 15;

/// The number of bits of an entry of [`Table`] that are those to skip; above them is what the code means.
const SKIP_BITS: u8 = 5;
const SKIP: u8 = (1 << SKIP_BITS) - 1;
const LENGTH: u8 = 1;
const END: u8 = 2;

/// The number of bits that [`Bits::peek`] returns at least.
const PEEKED: usize = 57;

/// The most bits of a length and a distance, with their extra bits.
const MATCH_BITS: usize = CODE_BITS + 5 + CODE_BITS + 13;

/// Changes a stream so that other blocks can be appended: its last block is no longer marked as that, and an empty block
/// follows, which ends at a byte. Returns whether that was possible: false if the bytes are not one whole stream.
pub(super) fn go_on(stream: &mut Vec<u8>) -> bool {
    let len = stream.len();
    stream.extend([0; 8]);
    let found = read(stream, len);
    stream.truncate(len);
    let Some((last, end)) = found else { return false };
    let (byte, bit) = (last / 8, last % 8);
    stream[byte] &= !(1 << bit);
    // What fills the last byte is not part of the stream.
    if let (Some(filled), 1..) = (stream.last_mut(), end % 8) {
        *filled &= (1 << (end % 8)) - 1;
    }
    // The empty block begins with three zero bits.
    if (end + 3).div_ceil(8) > len {
        stream.push(0);
    }
    stream.extend([0, 0, 0xFF, 0xFF]);
    true
}

/// Returns the offsets in bits of the last block and of the end of a stream of `len` bytes, after which are eight more.
fn read(stream: &[u8], len: usize) -> Option<(usize, usize)> {
    let mut bits = Bits { stream, at: 0 };
    let (mut literals, mut distances) = (Table::new(), Table::new());
    loop {
        let start = bits.at;
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => bits.skip_stored()?,
            1 => {
                let mut lengths = [8; LITERALS];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                literals.fill(&lengths, literal_extra)?;
                distances.fill(&[5; DISTANCES], distance_extra)?;
                bits.skip_codes(&literals, &distances)?;
            }
            2 => {
                bits.read_codes(&mut literals, &mut distances)?;
                bits.skip_codes(&literals, &distances)?;
            }
            _ => return None,
        }
        if bits.at > len * 8 {
            return None;
        }
        if is_last {
            return (bits.at.div_ceil(8) == len).then_some((start, bits.at));
        }
    }
}

/// What is skipped after a code of literals and lengths, and what it means.
fn literal_extra(code: usize) -> Option<(u8, u8)> {
    match code {
        0..END_OF_BLOCK => Some((0, 0)),
        END_OF_BLOCK => Some((0, END)),
        257..=264 | 285 => Some((0, LENGTH)),
        265..=284 => Some((u8::try_from((code - 261) / 4).ok()?, LENGTH)),
        _ => None,
    }
}

fn distance_extra(code: usize) -> Option<(u8, u8)> {
    match code {
        0..=3 => Some((0, 0)),
        4..=29 => Some((u8::try_from(code / 2 - 1).ok()?, 0)),
        _ => None,
    }
}

/// For each sequence of bits: how many belong to the code that it begins with, and to what follows it; 0 for none.
struct Table {
    entries: Box<[u8; 1 << CODE_BITS]>,
    mask: u64,
}

impl Table {
    fn new() -> Table {
        Table { entries: Box::new([0; 1 << CODE_BITS]), mask: 0 }
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // The mask has at most 15 bits.
    fn entry(&self, bits: u64) -> u8 {
        self.entries[(bits & self.mask) as usize & ((1 << CODE_BITS) - 1)]
    }

    /// Fills the table from the lengths of all codes. `None` if they are more than there is room for.
    fn fill(&mut self, lengths: &[u8], extra: impl Fn(usize) -> Option<(u8, u8)>) -> Option<()> {
        let mut count = [0_usize; CODE_BITS + 1];
        for &length in lengths {
            *count.get_mut(usize::from(length))? += 1;
        }
        count[0] = 0;
        let longest = count.iter().rposition(|&count| count > 0).unwrap_or(0);
        let size = 1_usize << longest;
        self.mask = size as u64 - 1;
        self.entries[..size].fill(0);
        let mut next = [0_usize; CODE_BITS + 1];
        for length in 1..=CODE_BITS {
            next[length] = (next[length - 1] + count[length - 1]) << 1;
            if next[length] + count[length] > 1 << length {
                return None;
            }
        }
        for (code, &length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let bits = next[usize::from(length)];
            next[usize::from(length)] += 1;
            // Codes are stored from their highest bit on.
            let first = bits.reverse_bits() >> (usize::BITS - u32::from(length));
            let Some((skipped, kind)) = extra(code) else { continue };
            let entry = kind << SKIP_BITS | (length + skipped);
            self.entries[..size]
                .iter_mut()
                .skip(first)
                .step_by(1 << length)
                .for_each(|it| *it = entry);
        }
        Some(())
    }
}

/// A stream and a position in it.
struct Bits<'s> {
    stream: &'s [u8],
    at: usize,
}

impl Bits<'_> {
    /// Returns at least [`PEEKED`] bits, the next in the lowest position.
    #[inline(always)]
    fn peek(&self) -> Option<u64> {
        let bytes = self.stream.get(self.at / 8..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*bytes) >> (self.at % 8))
    }

    fn take(&mut self, count: usize) -> Option<usize> {
        let bits = self.peek()? & ((1 << count) - 1);
        self.at += count;
        usize::try_from(bits).ok()
    }

    fn skip_stored(&mut self) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let (length, inverted) = (self.take(16)?, self.take(16)?);
        self.at += 8 * length;
        (length ^ inverted == 0xFFFF).then_some(())
    }

    /// Reads the codes of a block.
    fn read_codes(&mut self, literals: &mut Table, distances: &mut Table) -> Option<()> {
        let (of_literals, of_distances) = (self.take(5)? + 257, self.take(5)? + 1);
        let stored = self.take(4)? + 4;
        let mut lengths = [0_u8; ORDER.len()];
        for &code in &ORDER[..stored] {
            lengths[code] = u8::try_from(self.take(3)?).ok()?;
        }
        // The kind of an entry has no room for a code, so that the codes are found by their number of bits and value.
        let codes = LengthCodes::new(lengths);
        let mut lengths = [0_u8; LITERALS + DISTANCES];
        let all = of_literals + of_distances;
        let mut at = 0;
        while at < all {
            let code = codes.take(self)?;
            let (value, times) = match code {
                0..=15 => (code, 1),
                16 => (usize::from(*lengths.get(at.checked_sub(1)?)?), 3 + self.take(2)?),
                17 => (0, 3 + self.take(3)?),
                _ => (0, 11 + self.take(7)?),
            };
            lengths.get_mut(at..at + times)?.fill(u8::try_from(value).ok()?);
            at += times;
        }
        if at != all {
            return None;
        }
        literals.fill(lengths.get(..of_literals)?, literal_extra)?;
        distances.fill(lengths.get(of_literals..all)?, distance_extra)
    }

    /// Skips the codes of a block up to its end.
    fn skip_codes(&mut self, literals: &Table, distances: &Table) -> Option<()> {
        loop {
            let bits = self.peek()?;
            let mut used = 0;
            let mut entry = literals.entry(bits);
            // Several literals fit in the bits.
            while entry >> SKIP_BITS == 0 && used <= PEEKED - 2 * CODE_BITS {
                if entry == 0 {
                    return None;
                }
                used += usize::from(entry & SKIP);
                entry = literals.entry(bits >> used);
            }
            if entry >> SKIP_BITS == 0 || used > PEEKED - MATCH_BITS {
                // What follows is read from there.
                self.at += used;
                continue;
            }
            used += usize::from(entry & SKIP);
            if entry >> SKIP_BITS == END {
                self.at += used;
                return Some(());
            }
            let distance = distances.entry(bits >> used);
            if distance == 0 {
                return None;
            }
            self.at += used + usize::from(distance & SKIP);
        }
    }
}

/// The codes of code lengths.
struct LengthCodes {
    /// For each sequence of seven bits: the code and its number of bits, 0 for none.
    entries: [(u8, u8); 128],
}

impl LengthCodes {
    fn new(lengths: [u8; ORDER.len()]) -> LengthCodes {
        let mut entries = [(0, 0); 128];
        let mut next = 0_usize;
        for length in 1..=7_u8 {
            for (code, _) in lengths.iter().enumerate().filter(|(_, it)| **it == length) {
                let first = next.reverse_bits() >> (usize::BITS - u32::from(length));
                let entry = (u8::try_from(code).unwrap_or(0), length);
                entries.iter_mut().skip(first).step_by(1 << length).for_each(|it| *it = entry);
                next += 1;
            }
            next <<= 1;
        }
        LengthCodes { entries }
    }

    fn take(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (code, length) = *self.entries.get(usize::try_from(bits.peek()? & 127).ok()?)?;
        bits.at += usize::from(length);
        (length > 0).then_some(usize::from(code))
    }
}
