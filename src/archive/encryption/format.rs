//! The format age-encryption.org/v1, as far as it can be read without a key.
//!
//! ```text
//! age-encryption.org/v1
//! -> TYPE ARGUMENT...           a stanza: the key of the file, encrypted to one recipient
//! BASE64                        its body: lines of 64 characters, and a shorter one, which may be empty
//! --- BASE64                    the checksum of the header: 32 bytes
//! 16 bytes, then chunks of 64 KiB, each with a tag of 16 bytes; only the last one may be shorter
//! ```

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::description::{Description, STANZA};

/// The first line.
const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// The first line of a file that is encoded as text.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// The number of first bytes that [`is_encrypted`] needs.
pub(crate) const MAGIC_BYTES: u64 = ARMOR.len() as u64;

/// The plaintext bytes of a chunk.
pub(crate) const CHUNK_BYTES: u64 = 64 << 10;
const TAG_BYTES: u64 = 16;
const NONCE_BYTES: u64 = 16;
const MAC_BYTES: usize = 32;
const LINE_CHARACTERS: usize = 64;

/// The end of the type of random stanzas, which some writers add so that readers have to ignore what they do not know.
const GREASE: &str = "-grease";

/// The maximum length of a header: sufficient for ten thousand recipients.
const HEADER_BYTES: usize = 1 << 20;

/// Returns whether a file is encrypted with age, by its first bytes.
pub(crate) fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(ARMOR)
}

/// What is known of an encrypted file without a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The types of the stanzas of recipients.
    pub(crate) recipients: Vec<String>,
    /// The description that aofkit put into the header.
    pub(crate) description: Option<Description>,
    /// The byte offset of the first chunk.
    pub(crate) payload: u64,
    /// The length of the plaintext.
    pub(crate) plain_bytes: u64,
}

/// Why a file is not a valid one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) offset: u64,
    pub(crate) what: &'static str,
}

impl Envelope {
    /// Reads the header, and derives the chunks from the length.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut lines = Lines { bytes: &bytes[..bytes.len().min(HEADER_BYTES)], at: 0 };
        if bytes.starts_with(ARMOR) {
            let what = "it is encoded as text (armor), which is not read here";
            return Err(Malformed { offset: 0, what });
        }
        if lines.next()? != &MAGIC[..MAGIC.len() - 1] {
            return Err(Malformed { offset: 0, what: "it is not encrypted with age" });
        }
        let (mut recipients, mut description) = (Vec::new(), None);
        loop {
            let start = lines.at;
            let line = lines.next()?;
            let wrong = |what| Malformed { offset: start as u64, what };
            if let Some(mac) = line.strip_prefix(b"--- ") {
                let mac = BASE64_STANDARD_NO_PAD.decode(mac).ok();
                if mac.is_none_or(|mac| mac.len() != MAC_BYTES) {
                    return Err(wrong("the header ends with something that is not its checksum"));
                }
                break;
            }
            let words = line
                .strip_prefix(b"-> ")
                .filter(|words| words.iter().all(|byte| matches!(byte, b' '..=b'~')))
                .map(|words| String::from_utf8_lossy(words).into_owned());
            let mut words = words.iter().flat_map(|words| words.split(' '));
            let Some(kind) = words.next().filter(|kind| !kind.is_empty()) else {
                return Err(wrong("the header has a line that is not a recipient"));
            };
            if words.any(str::is_empty) {
                return Err(wrong("a recipient in the header has an empty argument"));
            }
            let body = lines.body()?;
            if kind == STANZA {
                description = serde_json::from_slice(&body).ok();
            } else if !kind.ends_with(GREASE) {
                recipients.push(kind.to_owned());
            }
        }
        if recipients.is_empty() {
            return Err(Malformed { offset: 0, what: "the header has no recipient" });
        }
        let header = lines.at as u64;
        let payload = header + NONCE_BYTES;
        let short = Malformed { offset: bytes.len() as u64, what: "the file was cut short" };
        let Some(rest) = (bytes.len() as u64).checked_sub(payload) else { return Err(short) };
        let whole = CHUNK_BYTES + TAG_BYTES;
        let chunks = rest.div_ceil(whole);
        let Some(last) = chunks.checked_sub(1).map(|before| rest - before * whole) else {
            return Err(short);
        };
        // A last chunk without content is written only for a file without content.
        if last < TAG_BYTES || last == TAG_BYTES && chunks > 1 {
            return Err(short);
        }
        let plain_bytes = rest - chunks * TAG_BYTES;
        Ok(Envelope { recipients, description, payload, plain_bytes })
    }

    /// Returns the offset in the file of the chunk that has byte `at` of the plaintext.
    pub(crate) fn offset_of(&self, at: u64) -> u64 {
        let chunk = at / CHUNK_BYTES;
        self.payload.saturating_add(chunk.saturating_mul(CHUNK_BYTES + TAG_BYTES))
    }
}

/// What is known of an encrypted archive that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ciphertext {
    /// The length of the file.
    pub(crate) bytes: u64,
    /// The SHA-256 of its bytes as they were written.
    pub(crate) sha256: [u8; 32],
}

struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Lines<'b> {
    fn next(&mut self) -> Result<&'b [u8], Malformed> {
        let rest = &self.bytes[self.at..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            let what = "the header does not end";
            return Err(Malformed { offset: self.bytes.len() as u64, what });
        };
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn body(&mut self) -> Result<Vec<u8>, Malformed> {
        let mut body = Vec::new();
        loop {
            let offset = self.at as u64;
            let line = self.next()?;
            let decoded = (line.len() <= LINE_CHARACTERS)
                .then(|| BASE64_STANDARD_NO_PAD.decode(line).ok())
                .flatten();
            let Some(decoded) = decoded else {
                return Err(Malformed { offset, what: "a recipient in the header is damaged" });
            };
            body.extend(decoded);
            if line.len() < LINE_CHARACTERS {
                return Ok(body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header whose lines are as the specification shows them, and a payload of `len` bytes.
    fn file(len: usize) -> Vec<u8> {
        let mac = "A".repeat(43);
        let body = "A".repeat(43);
        let header = format!("age-encryption.org/v1\n-> X25519 {body}\n{body}\n--- {mac}\n");
        [header.as_bytes(), &[0; 16], &vec![7; len]].concat()
    }

    #[test]
    fn lengths_of_chunks_are_checked() {
        let plain = |len: usize| Envelope::read(&file(len)).map(|read| read.plain_bytes).ok();
        assert_eq!(plain(16), Some(0));
        assert_eq!(plain(17), Some(1));
        assert_eq!(plain(65_552), Some(65_536));
        assert_eq!(plain(65_552 + 17), Some(65_537));
        for len in [0, 15, 65_552 + 1, 65_552 + 16, 2 * 65_552 + 15] {
            assert_eq!(plain(len), None, "{len}");
        }
        assert!(Envelope::read(&file(17)).is_ok_and(|read| read.recipients == ["X25519"]));
    }

    #[test]
    fn each_cut_and_each_changed_line_of_a_header_is_noticed() {
        let whole = file(40);
        let header = whole.len() - 40;
        for cut in 0..header + 16 {
            assert!(Envelope::read(&whole[..cut]).is_err(), "{cut}");
        }
        for (from, to) in
            [("-> X", "=> X"), ("--- ", "-- -"), ("v1\n", "v2\n"), ("X25519 ", "X25519  ")]
        {
            let text = String::from_utf8(whole.clone()).unwrap().replacen(from, to, 1);
            assert!(Envelope::read(text.as_bytes()).is_err(), "{from:?}");
        }
        // A body whose base64 is of no canonical form.
        let text = String::from_utf8(whole).unwrap().replacen("A\n---", "B\n---", 1);
        assert!(Envelope::read(text.as_bytes()).is_err());
    }
}
