//! The producers of a stream: what a stream remembers of entries that were added with IDMP or
//! IDMPAUTO, so that an entry that is sent twice is added once. Since version 4 of streams (Redis 8.6).
//!
//! | part | bytes |
//! |---|---|
//! | settings | lengths: seconds that an entry is remembered; entries that are remembered per producer |
//! | producers | a length n, then n times: a string (the producer), a length m, m entries |
//! | an entry | a string (the producer's own id), two lengths: the id of the entry |
//! | counters | lengths: entries ever added by producers; entries that were not added again |
//!
//! Checked against files of Redis 8.6.3, which refuses settings out of the ranges of its configuration.

use std::ops::RangeInclusive;

use super::fault::{Fault, Read};
use super::load_check::LoadCheck;
use super::reader::Reader;
use super::visitor::{StreamIdmp, Visitor};

/// How long an entry is remembered, in seconds.
const SECONDS: RangeInclusive<u64> = 1..=86_400;

/// The number of entries that are remembered of a producer.
const ENTRIES: RangeInclusive<u64> = 1..=10_000;

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    pub(super) fn producers(&mut self) -> Read<()> {
        const READING: &str = "a producer of a stream";
        let duration = self.setting(SECONDS, "how long a stream remembers its producers")?;
        let max_entries = self.setting(ENTRIES, "how much a stream remembers of a producer")?;
        let producers = self.cursor.length("the number of a stream's producers")?;
        self.tools.streams.consumers.begin(producers);
        for _ in 0..producers {
            let at = self.cursor.pos();
            let producer = self.cursor.text(READING)?;
            self.remember_name(at, producer, READING, |streams| &mut streams.consumers)?;
            let entries = self.cursor.length("the number of a producer's entries")?;
            self.visitor.stream_producer(producer, entries);
            for _ in 0..entries {
                let iid = self.cursor.text("the name of a producer's entry")?;
                let id = self.id("the id of a producer's entry")?;
                self.visitor.stream_iid(iid, id);
            }
        }
        let iids_added = self.cursor.length("the entries that producers added to a stream")?;
        let duplicates = self.cursor.length("the entries that a stream did not add again")?;
        self.visitor.stream_idmp(&StreamIdmp { duration, max_entries, iids_added, duplicates });
        Ok(())
    }

    fn setting(&mut self, allowed: RangeInclusive<u64>, reading: &'static str) -> Read<u64> {
        let at = self.cursor.pos();
        let setting = self.cursor.length(reading)?;
        if !allowed.contains(&setting) {
            let fault = Fault::broken(at, reading, "it is out of the range that servers load");
            self.tolerate(fault.checked_by(LoadCheck::Always))?;
        }
        Ok(setting)
    }
}
