//! Two running servers.

use super::super::{DiffOptions, DiffReport, OnDifference};
use super::findings::{Findings, Pending};
use super::judge::{Judge, common_detail, detail_of_server};
use super::side::{functions_of_nodes, side_of};
use crate::analysis::data_filter::Filter;
use crate::analysis::key_hashes::KeyHashes;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::live::dump::{DumpedKey, KeyReader};
use crate::live::endpoint::Endpoint;
use crate::live::running::RunningServer;
use crate::live::scan::scan_keys;

/// Compares two running servers.
pub(super) fn diff(
    [a, b]: [&Endpoint; 2],
    options: &DiffOptions,
    mut found: Option<&mut OnDifference<'_>>,
    progress: &dyn Progress,
) -> Result<DiffReport> {
    let [a, b] = [RunningServer::connect(a)?, RunningServer::connect(b)?];
    let detail = common_detail([&a, &b].map(|server| detail_of_server(server.line())));
    let mut run = Run {
        readers: [KeyReader::new(&a), KeyReader::new(&b)],
        judge: Judge::new(&[&a, &b], detail),
        server: &a,
        filter: &options.filter,
        seen: KeyHashes::default(),
        pending: Pending::default(),
        findings: Findings::new(found.is_some()),
        progress,
    };
    for (side, server) in [&a, &b].into_iter().enumerate() {
        progress.phase("scan", 0);
        let moved = scan_keys(&mut server.clone(), progress, &mut |db, keys| {
            let keys = run.fresh(side, db, keys);
            if side == 0 {
                run.compare(db, &keys)?;
            } else {
                // The other server did not have these when it was scanned.
                keys.into_iter().for_each(|key| run.pending.push(db, key));
            }
            if run.pending.is_full() { run.settle(&mut found) } else { Ok(()) }
        })?;
        run.findings.running.slots_moved |= moved;
    }
    run.settle(&mut found)?;
    let Findings { counts, running, .. } = run.findings;
    let functions_differ = match options.filter.is_none() {
        true => functions_differ([&a, &b])?,
        false => None,
    };
    let sides = [side_of(&a, counts.left_out[0]), side_of(&b, counts.left_out[1])];
    Ok(DiffReport::new(sides, &counts, functions_differ, Some(running)))
}

fn functions_differ([a, b]: [&RunningServer; 2]) -> Result<Option<bool>> {
    let (Some(a), Some(b)) = (functions_of_nodes(a)?, functions_of_nodes(b)?) else {
        return Ok(None);
    };
    let mut all = a.iter().chain(&b);
    let first = all.next();
    Ok(Some(all.any(|functions| Some(functions) != first)))
}

/// A comparison of two servers.
struct Run<'r> {
    readers: [KeyReader<'r>; 2],
    judge: Judge,
    /// The first one, whose clock applies.
    server: &'r RunningServer,
    filter: &'r Filter,
    seen: KeyHashes,
    pending: Pending,
    findings: Findings,
    progress: &'r dyn Progress,
}

impl Run<'_> {
    /// Returns those of the keys that were not seen yet, and that the filter selects.
    fn fresh(&mut self, side: usize, db: u32, mut keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let unwanted = &mut self.findings.counts.left_out[side].unwanted;
        keys.retain(|key| {
            // A key that a filter excludes is counted on both sides.
            let is_wanted = self.filter.keys.wants_db(db) && self.filter.keys.wants_name(key);
            if !is_wanted {
                *unwanted += 1;
                return false;
            }
            self.seen.insert(db, key)
        });
        keys
    }

    /// Compares keys of the first server. Those that differ are asked for again later.
    fn compare(&mut self, db: u32, keys: &[Vec<u8>]) -> Result<()> {
        let (findings, pending) = (&mut self.findings, &mut self.pending);
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let (server, progress) = (self.server, self.progress);
        read_both(&mut self.readers, db, &keys, &mut |key, dumped| {
            progress.check()?;
            let verdict = self.judge.two_servers((db, key), dumped, server.now_ms());
            if verdict.is_difference() {
                pending.push(db, key.to_vec());
            } else {
                findings.add(db, key, verdict);
            }
            Ok(())
        })
    }

    /// Asks for keys again, and reports those that differ still.
    fn settle(&mut self, found: &mut Option<&mut OnDifference<'_>>) -> Result<()> {
        let findings = &mut self.findings;
        let (server, progress) = (self.server, self.progress);
        for (db, keys) in self.pending.take() {
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            read_both(&mut self.readers, db, &keys, &mut |key, dumped| {
                progress.check()?;
                let verdict = self.judge.two_servers((db, key), dumped, server.now_ms());
                findings.add_again(db, key, verdict);
                Ok(())
            })?;
        }
        findings.report(found)
    }
}

/// A function that receives a key as two servers have it.
type OnBoth<'f> = dyn FnMut(&[u8], [Option<&DumpedKey>; 2]) -> Result<()> + 'f;

/// Reads keys of two servers. Of the first, as many values are in memory as its reader passes on at once.
fn read_both(
    [a, b]: &mut [KeyReader<'_>; 2],
    db: u32,
    keys: &[&[u8]],
    each: &mut OnBoth<'_>,
) -> Result<()> {
    a.read(db, keys, &mut |of_a| {
        let names: Vec<&[u8]> = of_a.iter().map(|(at, _)| keys[*at]).collect();
        b.read(db, &names, &mut |of_b| {
            for (at, of_b) in of_b {
                let of_a = of_a.get(at).and_then(|(_, dumped)| dumped.as_ref());
                each(names[at], [of_a, of_b.as_ref()])?;
            }
            Ok(())
        })
    })
}
