//! What a build without the feature `age` can do with encrypted archives: say why it cannot.

use std::io::{self, BufRead};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::description::Description;
use super::format::{Ciphertext, Envelope};
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
pub(crate) type Plain<R> = R;

pub(crate) fn open<R: BufRead>(
    _: &Path,
    _: &Envelope,
    _: R,
    identities: &Identities,
) -> Result<Plain<R>> {
    match identities.0 {}
}

/// An encrypted archive that is being written.
pub(crate) struct Sealed<'s>(std::convert::Infallible, PhantomData<&'s ()>);

impl<'s> Sealed<'s> {
    pub(crate) fn begin(
        _: &'s mut dyn Sink,
        recipients: &Recipients,
        _: &Description,
    ) -> io::Result<Self> {
        match recipients.0 {}
    }

    pub(crate) fn finish(self) -> io::Result<Ciphertext> {
        match self.0 {}
    }
}

impl Sink for Sealed<'_> {
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
