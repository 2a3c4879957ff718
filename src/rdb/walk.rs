//! The walk over an RDB from the first byte to the last, and random access to single keys.

use super::damage::Damage;
use super::deep::NotedFaults;
use super::driver::Driver;
use super::header::Header;
use super::load_check::BrokenValue;
use super::parallel::{self, Rest};
use super::reader::Tools;
use super::visitor::{Ignore, Visitor};
use crate::base::progress::Progress;
use crate::rdb::duplicate_keys::find_repeated;
use crate::rdb::summary::RdbSummary;

/// Walks over the RDB that `bytes` begins with, reports its content to `visitor`, and checks it as
/// a server with `sanitize-dump-payload yes` does on loading.
///
/// `progress` is advanced by [`RdbSummary::len`] bytes in total; the caller sets the phase.
///
/// # Errors
///
/// Returns the damage that the loader of a server would detect first. If the visitor goes on at broken values, the
/// summary has those that loaders of today let pass with default settings, and only others are damage.
pub fn walk<'a, V: Visitor<'a>>(
    bytes: &'a [u8],
    visitor: &mut V,
    progress: &dyn Progress,
) -> Result<RdbSummary, Box<Damage>> {
    let again = Rest::new(progress);
    if let Some(summary) = parallel::walk(bytes, visitor, &again) {
        return Ok(summary);
    }
    again.start_again();
    let progress: &dyn Progress = &again;
    let mut tools = Tools::new();
    let seed = tools.seed;
    tools.noted = visitor.goes_on_at_broken_values().then(NotedFaults::default);
    let mut driver = Driver::new(bytes, visitor, &mut tools);
    driver.check(progress);
    let result = driver.run();
    let repeated = find_repeated(bytes, seed, &driver.repeated());
    let refused = driver.refused.take();
    if let Some(repeated) = repeated {
        // A loader gives up at a broken value before it comes to the duplicate.
        return Err(match refused {
            Some((_, damage)) if damage.offset < repeated.offset => damage,
            _ => repeated,
        });
    }
    match (result, refused) {
        (Ok(()), None) => Ok(driver.walk()),
        (Ok(()), Some((check, damage))) => {
            let value = Some(BrokenValue { check, rdb_bytes: driver.whole as u64 });
            Err(Box::new(Damage { value, ..*damage }))
        }
        (Err(_), Some((_, damage))) => Err(damage),
        (Err(fault), None) => Err(driver.damage(fault)),
    }
}

/// Reads single keys of an RDB, at the offsets that a walk reported.
pub struct Records<'a> {
    bytes: &'a [u8],
    header: Header,
    tools: Tools,
}

impl<'a> Records<'a> {
    /// Creates a reader for the RDB that `bytes` begins with.
    ///
    /// # Errors
    ///
    /// Fails if the header is invalid or its version is not supported.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Box<Damage>> {
        let mut tools = Tools::new();
        let header = Header::read(bytes)
            .map_err(|fault| Driver::new(bytes, &mut Ignore, &mut tools).damage(fault))?;
        let visitor = &mut Ignore;
        let mut driver = Driver::new(bytes, visitor, &mut tools);
        driver.read_head().map_err(|fault| driver.damage(fault))?;
        Ok(Records { bytes, header, tools })
    }

    /// Reads the key and value whose record begins at byte `offset`: see
    /// [`Key::offset`](crate::rdb::visitor::Key::offset). `db` is the database that contains it.
    /// Returns the offset after the record.
    ///
    /// # Errors
    ///
    /// Fails if there is no complete and valid record at `offset`.
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
