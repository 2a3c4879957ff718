//! A stored string that is not decoded yet.

use super::lzf;

/// A string of the file or of a packed encoding. Copying it does not copy the text.
///
/// `'a` is the lifetime of the file's bytes; `'s` that of the reader's buffer, which ends when the
/// visitor's method returns.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a, 's> {
    /// The bytes, borrowed from the file.
    Mapped(&'a [u8]),
    /// The bytes, borrowed from the reader's buffer: their packed encoding is stored compressed.
    Lent(&'s [u8]),
    /// The decimal text of this number.
    Int(i64),
    /// Compressed text that was checked to decompress.
    Lzf(Lzf<'a>),
}

/// A compressed string, borrowed from the file.
#[derive(Debug, Clone, Copy)]
pub struct Lzf<'a> {
    pub(super) compressed: &'a [u8],
    pub(super) len: usize,
}

impl<'a> Lzf<'a> {
    /// Returns the compressed bytes.
    pub fn compressed(&self) -> &'a [u8] {
        self.compressed
    }

    /// Returns the length of the text in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<'a, 's> Text<'a, 's> {
    /// Returns the text's bytes, decoded into `scratch` unless they can be borrowed.
    #[inline]
    pub fn bytes<'t>(&self, scratch: &'t mut Vec<u8>) -> &'t [u8]
    where
        'a: 't,
        's: 't,
    {
        match *self {
            Text::Mapped(bytes) => bytes,
            Text::Lent(bytes) => bytes,
            Text::Int(number) => {
                let mut digits = Digits::default();
                scratch.clear();
                scratch.extend_from_slice(digits.format(number));
                scratch
            }
            Text::Lzf(lzf) => {
                // The string was checked when it was read. If the file has changed since, the text
                // is whatever could be decompressed.
                let _ = lzf::decompress(lzf.compressed, lzf.len, scratch);
                scratch
            }
        }
    }

    /// Returns a copy of the text's bytes.
    pub fn to_vec(self) -> Vec<u8> {
        let mut scratch = Vec::new();
        match self {
            Text::Mapped(bytes) | Text::Lent(bytes) => bytes.to_vec(),
            Text::Int(_) | Text::Lzf(_) => {
                self.bytes(&mut scratch);
                scratch
            }
        }
    }

    /// Returns the length of the text in bytes.
    pub fn len(&self) -> usize {
        match self {
            Text::Mapped(bytes) | Text::Lent(bytes) => bytes.len(),
            Text::Int(number) => Digits::default().format(*number).len(),
            Text::Lzf(lzf) => lzf.len,
        }
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A buffer for the decimal text of a number.
#[derive(Default)]
pub(super) struct Digits([u8; 20]);

impl Digits {
    /// Returns the decimal text of `number`, like `to_string` but without allocating.
    #[inline]
    pub(super) fn format(&mut self, number: i64) -> &[u8] {
        let mut rest = number.unsigned_abs();
        let mut start = self.0.len();
        loop {
            start -= 1;
            self.0[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            start -= 1;
            self.0[start] = b'-';
        }
        &self.0[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_has_its_decimal_text(number in any::<i64>(), shift in 0u32..64) {
            let number = number >> shift;
            let mut digits = Digits::default();
            let expected = number.to_string();
            prop_assert_eq!(digits.format(number), expected.as_bytes());
        }
    }

    #[test]
    fn the_longest_number_fits() {
        for number in [i64::MIN, i64::MAX, 0] {
            assert_eq!(Text::Int(number).to_vec(), number.to_string().as_bytes());
        }
    }
}
