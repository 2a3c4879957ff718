//! The walk from the first byte to the last, and the way back to single keys.

use super::damage::Damage;
use super::driver::Driver;
use super::header::Header;
use super::reader::Tools;
use super::visitor::{Ignore, Visitor};
use crate::base::progress::Progress;
use crate::rdb::duplicate_keys::find_repeated;
use crate::rdb::summary::Walk;

/// Walks over the RDB that `bytes` begin with, tells `visitor` what lies in it, and checks it as a
/// server with `sanitize-dump-payload yes` does when it loads it.
///
/// `progress` is told of bytes, in all [`Walk::len`]; the phase is for the caller to name.
///
/// # Errors
///
/// The damage that the loader of a server would come upon first.
pub fn walk<'a, V: Visitor<'a>>(
    bytes: &'a [u8],
    visitor: &mut V,
    progress: &dyn Progress,
) -> Result<Walk, Box<Damage>> {
    let mut tools = Tools::new();
    let seed = tools.seed;
    let mut driver = Driver::new(bytes, visitor, &mut tools);
    driver.check(progress);
    let result = driver.run();
    if let Some(damage) = find_repeated(bytes, seed, &driver.repeated()) {
        return Err(damage);
    }
    match result {
        Ok(()) => Ok(driver.walk()),
        Err(fault) => Err(driver.damage(fault)),
    }
}

/// Reads single keys of an RDB, each at the place that a walk told.
pub struct Records<'a> {
    bytes: &'a [u8],
    header: Header,
    tools: Tools,
}

impl<'a> Records<'a> {
    /// For the RDB that `bytes` begin with.
    ///
    /// # Errors
    ///
    /// When its header is not one that is read here.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Box<Damage>> {
        let mut tools = Tools::new();
        let header = Header::read(bytes)
            .map_err(|fault| Driver::new(bytes, &mut Ignore, &mut tools).damage(fault))?;
        Ok(Records { bytes, header, tools })
    }

    /// Reads the key and value whose record begins at byte `offset`: see [`Key::offset`](crate::rdb::visitor::Key::offset). `db` is the
    /// database that it is in. Returns the byte behind it.
    ///
    /// # Errors
    ///
    /// When there is no whole and sound record there.
    pub fn read<V: Visitor<'a>>(
        &mut self,
        db: u64,
        offset: u64,
        visitor: &mut V,
    ) -> Result<u64, Box<Damage>> {
        let mut driver = Driver::new(self.bytes, visitor, &mut self.tools);
        driver.go_to(self.header, db, usize::try_from(offset).unwrap_or(usize::MAX));
        match driver.one_record() {
            Ok(()) => Ok(driver.reader.cursor.pos() as u64),
            Err(fault) => Err(driver.damage(fault)),
        }
    }
}
