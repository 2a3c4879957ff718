//! What a build without the feature `parquet` can do about tables: say why it cannot write them.

use super::options::TableOptions;
use super::rows::{CommandRow, KeyRow};
use crate::base::error::{Error, ErrorKind, Result};

/// The files, of which there are none.
pub(in crate::ops::stats) struct Tables(std::convert::Infallible);

impl Tables {
    pub(in crate::ops::stats) fn create(_: &TableOptions) -> Result<Tables> {
        Err(Error::new(ErrorKind::Usage, "this build of aofkit has no Parquet files")
            .help("take a package, or build it with `cargo install aofkit --features full`"))
    }

    pub(in crate::ops::stats) fn add_keys(&mut self, _: Vec<KeyRow>) -> Result<()> {
        match self.0 {}
    }

    pub(super) fn add_commands(&mut self, _: &mut Vec<CommandRow>) -> Result<()> {
        match self.0 {}
    }

    pub(in crate::ops::stats) fn publish(self) -> Result<()> {
        match self.0 {}
    }
}
