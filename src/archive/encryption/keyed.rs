//! Encryption and decryption with the crate `age`.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, EncryptError, Encryptor, x25519};
use age_core::format::{FileKey, Stanza};
use sha2::{Digest as _, Sha256};

use super::description::{Description, SCHEMA, STANZA};
use super::format::{Ciphertext, Envelope, is_encrypted};
use crate::archive::sink::Sink;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::units::counted;

/// The beginning of private keys, which no message repeats.
const PRIVATE: &str = "AGE-SECRET-KEY-";

/// The public keys that an archive is encrypted to.
pub(crate) struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// Parses public keys, and those in files: one a line, with empty lines and comments that begin with `#`.
    pub(crate) fn read(keys: &[String], files: &[PathBuf]) -> Result<Self> {
        let mut recipients = Vec::new();
        for key in keys {
            recipients.push(recipient(key)?);
        }
        for file in files {
            let text = fs::read_to_string(file).map_err(|error| Error::io("read", file, error))?;
            let before = recipients.len();
            for (index, line) in lines(&text) {
                let parsed = recipient(line).map_err(|error| error.at(file).line(index + 1))?;
                recipients.push(parsed);
            }
            if recipients.len() == before {
                return Err(Error::new(ErrorKind::Usage, "there is no recipient in this file")
                    .at(file)
                    .help("it has one public key a line, as `age-keygen -y` prints them"));
            }
        }
        Ok(Recipients(recipients))
    }
}

fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = (0..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn recipient(key: &str) -> Result<x25519::Recipient> {
    let wrong = |what: String, help: &str| Err(Error::new(ErrorKind::Usage, what).help(help));
    if key.to_ascii_uppercase().contains(PRIVATE) {
        return wrong(
            "this is a private key (identity), not a recipient".to_owned(),
            "`age-keygen -y FILE` prints its public key; whoever has seen the private key can read the archives",
        );
    }
    match key.trim().parse() {
        Ok(recipient) => Ok(recipient),
        Err(_)
            if key.starts_with("ssh-")
                || key.starts_with("age1") && key.matches('1').count() > 1 =>
        {
            wrong(
                "recipients of this kind are not supported".to_owned(),
                "give a public key of age-keygen, which begins with age1",
            )
        }
        Err(_) => wrong(
            format!("`{}` is not a recipient", key.escape_debug()),
            "give a public key of age-keygen, which begins with age1",
        ),
    }
}

/// The private keys that archives are decrypted with.
pub(crate) struct Identities(Vec<x25519::Identity>);

impl Identities {
    /// Reads private keys from files. No message repeats anything of their content.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Self> {
        let mut identities = Vec::new();
        for file in files {
            let bytes = fs::read(file).map_err(|error| Error::io("read", file, error))?;
            if is_encrypted(&bytes) {
                return Err(unusable(file, "this identity is protected by a passphrase")
                    .help("decrypt it to a file for your eyes alone first: age -d"));
            }
            if bytes.starts_with(b"-----BEGIN") {
                return Err(unusable(file, "keys of SSH are not supported as identities"));
            }
            let Ok(text) = String::from_utf8(bytes) else {
                return Err(unusable(file, "this is not a file of identities"));
            };
            let before = identities.len();
            for (index, line) in lines(&text) {
                let identity = line.parse().map_err(|_| {
                    let what = match line.starts_with("AGE-PLUGIN-") || line.starts_with(PRIVATE) {
                        true => "an identity of this kind is not supported, or it is damaged",
                        false => "this line is not an identity",
                    };
                    unusable(file, what).line(index + 1)
                })?;
                identities.push(identity);
            }
            if identities.len() == before {
                return Err(unusable(file, "there is no identity in this file"));
            }
        }
        Ok(Identities(identities))
    }
}

fn unusable(file: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Usage, what)
        .at(file)
        .help("give a file that age-keygen wrote: its key begins with AGE-SECRET-KEY-1")
}

/// The plaintext of an encrypted file.
pub(crate) type Plain<R> = StreamReader<R>;

/// Opens an encrypted file, of which `envelope` is known; `path` is for messages.
///
/// # Errors
///
/// - [`ErrorKind::Refused`]: no identity fits.
/// - [`ErrorKind::Damaged`]: the header is damaged.
/// - When it cannot be read.
pub(crate) fn open<R: BufRead>(
    path: &Path,
    envelope: &Envelope,
    input: R,
    identities: &Identities,
) -> Result<Plain<R>> {
    let damaged = || {
        let what = "the header of the encrypted archive is damaged: its checksum does not match";
        Error::new(ErrorKind::Damaged, what).at(path).help("take another copy of the archive")
    };
    let unread = |error: io::Error| error.downcast::<Error>().unwrap_or_else(|_| damaged());
    let decryptor = Decryptor::new_buffered(input).map_err(|error| match error {
        DecryptError::Io(error) => unread(error),
        _ => damaged(),
    })?;
    let identities: Vec<&dyn age::Identity> =
        identities.0.iter().map(|identity| identity as &dyn age::Identity).collect();
    let count = identities.len() as u64;
    decryptor.decrypt(identities.into_iter()).map_err(|error| match error {
        DecryptError::NoMatchingKeys => {
            let what = format!(
                "the archive is encrypted, and {} that was given opens it: it has {}",
                if count == 1 { "the identity".to_owned() } else { format!("none of {count} identities") },
                counted(envelope.recipients.len() as u64, "other recipient"),
            );
            let what = what.replace("the identity that was given opens it", "the identity that was given does not open it");
            Error::new(ErrorKind::Refused, what)
                .at(path)
                .help("give the identity of one of its recipients with --identity; a damaged header looks the same")
        }
        DecryptError::Io(error) => unread(error),
        _ => damaged(),
    })
}

/// An encrypted archive that is being written.
pub(crate) struct Sealed<'s> {
    out: StreamWriter<Hashed<'s>>,
}

/// A sink whose bytes are hashed as they are written.
struct Hashed<'s> {
    sink: &'s mut dyn Sink,
    bytes: u64,
    sha256: Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.append(bytes)?;
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A recipient whose stanzas are followed by a description of the archive. The first recipient has it, so that the labels
/// of all recipients are the same.
struct Described<'r> {
    recipient: &'r x25519::Recipient,
    stanza: Stanza,
}

impl age::Recipient for Described<'_> {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> std::result::Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let (mut stanzas, labels) = self.recipient.wrap_file_key(file_key)?;
        stanzas.push(Stanza {
            tag: self.stanza.tag.clone(),
            args: self.stanza.args.clone(),
            body: self.stanza.body.clone(),
        });
        Ok((stanzas, labels))
    }
}

impl<'s> Sealed<'s> {
    /// Begins the archive in `sink`, which is empty, with the header.
    pub(crate) fn begin(
        sink: &'s mut dyn Sink,
        recipients: &Recipients,
        description: &Description,
    ) -> io::Result<Self> {
        let stanza = Stanza {
            tag: STANZA.to_owned(),
            args: vec![SCHEMA.to_owned()],
            body: serde_json::to_vec(description)?,
        };
        let first = recipients.0.first().map(|recipient| Described { recipient, stanza });
        let first = first.iter().map(|first| first as &dyn age::Recipient);
        let others = recipients.0.iter().skip(1).map(|other| other as &dyn age::Recipient);
        let encryptor =
            Encryptor::with_recipients(first.chain(others)).map_err(io::Error::other)?;
        let hashed = Hashed { sink, bytes: 0, sha256: Sha256::new() };
        Ok(Sealed { out: encryptor.wrap_output(hashed)? })
    }

    /// Writes the last chunk.
    pub(crate) fn finish(self) -> io::Result<Ciphertext> {
        let Hashed { bytes, sha256, .. } = self.out.finish()?;
        Ok(Ciphertext { bytes, sha256: sha256.finalize().into() })
    }
}

impl Sink for Sealed<'_> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    fn can_keep_open(&self) -> bool {
        false
    }

    fn append_open(&mut self, room: &[u8]) -> io::Result<()> {
        self.append(room)
    }

    fn close(&mut self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}
