//! What a build without the feature `age` can do with encrypted archives: say why it cannot.

use std::fs::File;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use super::description::Description;
use super::format::Ciphertext;
use crate::archive::sink::Sink;
use crate::base::error::{Error, ErrorKind, Result};

fn unsupported() -> Error {
    Error::new(ErrorKind::Usage, "this build of aofkit has no encryption")
        .help("build it with `cargo install aofkit --features full`, or take a package")
}

pub(crate) struct Recipients(std::convert::Infallible);

impl Recipients {
    pub(crate) fn read(_: &[String], _: &[PathBuf]) -> Result<Self> {
        Err(unsupported())
    }
}

pub(crate) struct Identities(std::convert::Infallible);

impl Identities {
    pub(crate) fn read(_: &[PathBuf]) -> Result<Self> {
        Err(unsupported())
    }
}

/// The plaintext of an encrypted file.
pub(crate) type Plain<'m> = Cursor<&'m [u8]>;

pub(crate) fn open<'m>(_: &Path, _: &'m [u8], identities: &Identities) -> Result<Plain<'m>> {
    match identities.0 {}
}

/// An encrypted file that is being written.
pub(crate) struct Sealed(std::convert::Infallible);

impl Sealed {
    pub(crate) fn begin(_: &File, recipients: &Recipients, _: &Description) -> io::Result<Self> {
        match recipients.0 {}
    }

    pub(crate) fn finish(self) -> io::Result<Ciphertext> {
        match self.0 {}
    }
}

impl Sink for Sealed {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    fn append_open(&mut self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    fn close(&mut self, _: &[u8], _: u64) -> io::Result<()> {
        match self.0 {}
    }
}
