//! Archives, damaged and malicious: each is detected, and the finding has the position.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use jiff::Timestamp;
use rayon::prelude::*;

use super::*;
use crate::archive::contents::*;
use crate::archive::method::Method;
use crate::archive::records::{Entry, end};
use crate::archive::report::*;
use crate::base::progress::Silent;
use crate::input::archive::*;

const LOG: &[u8] =
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$5\r\nbbbbb\r\n";

fn time() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

/// Returns the archive of a small log.
fn archive(method: Method) -> Vec<u8> {
    let room = tempfile::tempdir().unwrap();
    let log = room.path().join("a.aof");
    fs::write(&log, LOG).unwrap();
    let options = CompressOptions {
        method,
        threads: 1,
        source: Source { path: Some("a.aof".into()), ..Source::default() },
        ..CompressOptions::new(room.path().join("a.zip"), time())
    };
    let report = compress(&log, &options, &Silent).unwrap();
    assert!(report.checked);
    fs::read(report.output).unwrap()
}

fn kinds(bytes: &[u8]) -> Vec<&'static str> {
    let report = verify_bytes(bytes).unwrap();
    let errors = report.findings.iter().filter(|finding| finding.level == Level::Error);
    errors.map(|finding| finding.kind).collect()
}

fn is_seen(bytes: &[u8]) -> bool {
    // Without the magic it is no longer a ZIP archive, which is reported.
    verify_bytes(bytes).map_or(true, |report| !report.sound)
}

#[test]
fn every_flipped_bit_is_detected() {
    for method in [Method::Deflate, Method::Store, Method::Zstd] {
        let archive = archive(method);
        assert_eq!(kinds(&archive), [""; 0]);
        let unseen: Vec<usize> = (0..archive.len() * 8)
            .into_par_iter()
            .filter(|bit| {
                let mut bytes = archive.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                !is_seen(&bytes)
            })
            .collect();
        assert_eq!(unseen, [0; 0], "{method}: bits of {} bytes", archive.len());
    }
}

#[test]
fn every_truncation_and_extra_byte_is_detected() {
    let archive = archive(Method::Deflate);
    let unseen: Vec<usize> = (0..archive.len()).filter(|&len| !is_seen(&archive[..len])).collect();
    assert_eq!(unseen, [0; 0]);
    assert!(is_seen(&[&archive[..], b"\0"].concat()));
    assert!(is_seen(&[&archive[..], &archive].concat()));
}

/// An entry of a ZIP archive made by another program.
struct Forged {
    name: &'static str,
    method: Method,
    bytes: Vec<u8>,
    packed: Vec<u8>,
}

impl Forged {
    fn stored(name: &'static str, bytes: &[u8]) -> Self {
        Forged { name, method: Method::Store, bytes: bytes.to_vec(), packed: bytes.to_vec() }
    }

    fn deflated(name: &'static str, bytes: &[u8]) -> Self {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::new(6));
        packer.write_all(bytes).unwrap();
        let packed = packer.finish().unwrap();
        Forged { name, method: Method::Deflate, bytes: bytes.to_vec(), packed }
    }

    fn entry(&self, offset: u64) -> Entry {
        Entry {
            name: self.name.to_owned(),
            method: self.method,
            crc32: crc_fast::crc32_iso_hdlc(&self.bytes),
            bytes: self.bytes.len() as u64,
            packed_bytes: self.packed.len() as u64,
            offset,
            modified: time(),
            streamed: false,
        }
    }
}

/// Returns a ZIP archive of these entries, with each header modified by `change`.
fn zip_with(forged: &[Forged], change: impl Fn(&mut Entry)) -> Vec<u8> {
    let mut zip = Vec::new();
    let mut directory = Vec::new();
    for one in forged {
        let mut entry = one.entry(zip.len() as u64);
        change(&mut entry);
        zip.extend(entry.local_header());
        zip.extend(&one.packed);
        directory.extend(entry.directory_header());
    }
    let at = zip.len() as u64;
    zip.extend(&directory);
    zip.extend(end(forged.len() as u64, at, directory.len() as u64));
    zip
}

fn zip(forged: &[Forged]) -> Vec<u8> {
    zip_with(forged, |_| {})
}

#[test]
fn plain_zip_is_verified_without_metadata() {
    let bytes = zip(&[Forged::deflated("backup/redis/appendonly.aof", LOG)]);
    let report = verify_bytes(&bytes).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.sound, report.own, report.commands), (true, false, 2));
    // After other bytes, as in a self-extracting program: reported for archives of other programs, and an error in an
    // archive of aofkit.
    let following = |zip: &[u8]| [&b"PK\x03\x04 or not"[..], zip].concat();
    let report = verify_bytes(&following(&bytes)).unwrap();
    assert_eq!((report.sound, report.commands), (true, 2));
    assert_eq!(report.findings[0].kind, "gap");
    assert!(is_seen(&following(&archive(Method::Deflate))));
}

#[test]
fn damaged_log_in_intact_zip_is_reported_with_offset() {
    let log = [LOG, b"*3\r\n$3\r\nSE"].concat();
    let report = verify_bytes(&zip(&[Forged::deflated("appendonly.aof", &log)])).unwrap();
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.kind, finding.entry.as_deref()), ("damage", Some("appendonly.aof")));
    assert_eq!(finding.offset, Some(log.len() as u64));
    let open = [LOG, b"*1\r\n$5\r\nMULTI\r\n"].concat();
    let report = verify_bytes(&zip(&[Forged::stored("x", &open)])).unwrap();
    assert_eq!(report.findings[0].offset, Some(LOG.len() as u64), "{:?}", report.findings);
}

#[test]
fn names_leading_out_of_the_output_are_refused() {
    for name in [
        "../a.aof",
        "/etc/a.aof",
        "a/../../b.aof",
        "a\\..\\..\\b.aof",
        "a/b\\c.aof",
        "C:a.aof",
        "C:\\a.aof",
        "\\etc\\a.aof",
        "a//b.aof",
        "./../a",
        ".//a",
        "a/./b",
    ] {
        assert_eq!(kinds(&zip(&[Forged::stored(name, LOG)]))[0], "path", "{name}");
    }
}

#[test]
fn duplicate_entry_names_are_refused() {
    let twice = [Forged::stored("a.aof", LOG), Forged::stored("a.aof", LOG)];
    assert_eq!(kinds(&zip(&twice)), ["duplicate-name"]);
    for (one, other) in [("a.aof", "./a.aof"), ("d/a.aof", "d\\a.aof")] {
        let twice = [Forged::stored(one, LOG), Forged::stored(other, LOG)];
        assert_eq!(kinds(&zip(&twice)), ["duplicate-name"], "{other}");
    }
}

#[test]
fn entries_that_overlap_are_refused() {
    let forged = [Forged::stored("a.aof", LOG), Forged::stored("b.aof", LOG)];
    let mut bytes = zip(&forged);
    // The second directory header refers to the first local header and has its name.
    let first = forged[0].entry(0);
    let at = bytes.len() - 22 - first.directory_header().len();
    let second = Entry { name: "b.aof".to_owned(), ..first.clone() }.directory_header();
    bytes[at..at + second.len()].copy_from_slice(&second);
    let local = Entry { name: "b.aof".to_owned(), ..first };
    assert!(kinds(&bytes).contains(&"local-header"), "{:?}", kinds(&bytes));
    // A local header inside the bytes of another entry.
    let inner = zip(&[Forged::stored("b.aof", LOG)]);
    let outer = Forged::stored("a.aof", &inner);
    let inside = Entry { offset: outer.entry(0).local_header().len() as u64, ..local };
    let mut bytes = outer.entry(0).local_header();
    bytes.extend(&outer.packed);
    let at = bytes.len() as u64;
    let directory = [outer.entry(0).directory_header(), inside.directory_header()].concat();
    bytes.extend(&directory);
    bytes.extend(end(2, at, directory.len() as u64));
    assert!(kinds(&bytes).contains(&"overlap"), "{:?}", kinds(&bytes));
}

#[test]
fn impossible_sizes_are_refused_before_decompression() {
    let bytes = zip_with(&[Forged::deflated("a.aof", LOG)], |entry| entry.bytes = 3 << 30);
    assert_eq!(kinds(&bytes)[0], "size");
    let bytes = zip_with(&[Forged::stored("a.aof", LOG)], |entry| entry.bytes -= 1);
    assert_eq!(kinds(&bytes)[0], "size");
    // Slightly too few and slightly too many bytes.
    for (change, what) in [(-1_i64, "more than"), (1, "are missing")] {
        let bytes = zip_with(&[Forged::deflated("a.aof", LOG)], |entry| {
            entry.bytes = entry.bytes.checked_add_signed(change).unwrap();
        });
        let report = verify_bytes(&bytes).unwrap();
        assert_eq!(report.findings[0].kind, "packed-bytes");
        assert!(report.findings[0].message.contains(what), "{:?}", report.findings);
    }
}

#[test]
fn unsupported_features_are_refused_by_name() {
    let at_local = |zip: &[u8], offset: usize| {
        let directory =
            zip.len() - 22 - Forged::stored("a.aof", LOG).entry(0).directory_header().len();
        [offset, directory + offset + 2]
    };
    let patched = |offset: usize, value: u16| {
        let mut bytes = zip(&[Forged::stored("a.aof", LOG)]);
        for at in at_local(&bytes, offset) {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    };
    assert_eq!(kinds(&patched(6, 1))[0], "encrypted");
    assert_eq!(kinds(&patched(8, 12))[0], "method");
    let mut disks = zip(&[Forged::stored("a.aof", LOG)]);
    let at = disks.len() - 18;
    disks[at] = 1;
    assert_eq!(kinds(&disks)[0], "several-disks");
    let mut link = zip(&[Forged::stored("a.aof", LOG)]);
    let at = link.len() - 22 - Forged::stored("a.aof", LOG).entry(0).directory_header().len() + 40;
    link[at..at + 2].copy_from_slice(&0o120_777_u16.to_le_bytes());
    assert_eq!(kinds(&link)[0], "link");
}

#[test]
fn set_in_zip_needs_all_listed_files() {
    let manifest = b"file a.aof.1.base.aof seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n";
    let base = || Forged::deflated("d/a.aof.1.base.aof", LOG);
    let incr = || Forged::deflated("d/a.aof.1.incr.aof", LOG);
    let listed = |text: &[u8]| Forged::deflated("d/a.aof.manifest", text);
    assert_eq!(kinds(&zip(&[base(), incr(), listed(manifest)])), [""; 0]);
    assert_eq!(kinds(&zip(&[base(), listed(manifest)])), ["missing-part"]);
    assert_eq!(kinds(&zip(&[base(), incr(), listed(b"file a\n")])), ["manifest"]);
    let report = verify_bytes(&zip(&[base(), incr()])).unwrap();
    assert_eq!(report.findings[0].kind, "no-manifest");
    assert_eq!(kinds(&zip(&[Forged::stored("readme", b"hello")])), ["no-log"]);
}

#[test]
fn rdb_in_zip_is_read_completely() {
    let rdb = "testdata/real/flushall-rdb-base-redis-7.0/appendonlydir/appendonly.aof.2.base.rdb";
    let rdb = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(rdb)).unwrap();
    let report = verify_bytes(&zip(&[Forged::deflated("dump.rdb", &rdb)])).unwrap();
    assert_eq!(report.findings, []);
    let walk = crate::rdb::walk(&rdb, &mut crate::rdb::Ignore, &Silent).unwrap();
    assert_eq!(report.rdb_keys, walk.keys);
    let mut broken = rdb.clone();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let report = verify_bytes(&zip(&[Forged::deflated("dump.rdb", &broken)])).unwrap();
    assert_eq!(report.findings[0].kind, "damage");
}

#[test]
fn numbers_beyond_32_bits_are_in_zip64_fields() {
    let entry = Entry {
        name: "a".to_owned(),
        method: Method::Deflate,
        crc32: 0x0403_0201,
        bytes: 0x1_2345_6789,
        packed_bytes: 0x0_0102_0304,
        offset: 0x2_0000_0001,
        modified: time(),
        streamed: false,
    };
    let local = entry.local_header();
    assert_eq!(local[..4], *b"PK\x03\x04");
    assert_eq!(local[4], 45, "the version that knows Zip64");
    assert_eq!(local[18..26], [0xff; 8]);
    // After the name: Zip64, 16 bytes: uncompressed size, compressed size.
    assert_eq!(local[31..35], [1, 0, 16, 0]);
    assert_eq!(local[35..43], [0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0]);
    assert_eq!(local[43..51], [4, 3, 2, 1, 0, 0, 0, 0]);
    let directory = entry.directory_header();
    assert_eq!(directory[42..46], [0xff; 4]);
    // After the name: Zip64, 24 bytes, the offset last.
    assert_eq!(directory[47..51], [1, 0, 24, 0]);
    assert_eq!(directory[67..75], [1, 0, 0, 0, 2, 0, 0, 0]);
    // Streamed, the sizes are in a descriptor: its signature, the checksum, the compressed and the uncompressed size.
    let streamed = Entry { streamed: true, ..entry.clone() };
    let local = streamed.local_header();
    assert_eq!((local[4], local[6]), (45, 8), "version and flags");
    assert_eq!(local[14..26], [0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(local[35..51], [0; 16]);
    assert_eq!(
        streamed.descriptor(),
        [
            &b"PK\x07\x08"[..],
            &[1, 2, 3, 4],
            &[4, 3, 2, 1, 0, 0, 0, 0],
            &[0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0]
        ]
        .concat()
    );
    let small = Entry { bytes: 7, offset: 0, ..streamed };
    assert_eq!((small.local_header()[4], small.descriptor().len()), (20, 16));
    assert_eq!(small.local_header()[14..26], [0; 12]);
    let small = Entry { streamed: false, ..small };
    assert_eq!((small.local_header()[4], small.descriptor().len()), (20, 0));
    let records = end(3, 0x1_0000_0000, 99);
    assert_eq!(records.len(), 56 + 20 + 22);
    assert_eq!(records[48..56], [0, 0, 0, 0, 1, 0, 0, 0], "where the directory begins");
    assert_eq!(records[64..72], [99, 0, 0, 0, 1, 0, 0, 0], "where the Zip64 end begins");
    assert_eq!(records[76 + 16..76 + 20], [0xff; 4]);
    assert_eq!(end(3, 5, 99).len(), 22);
}

#[test]
fn the_bytes_depend_on_nothing_but_the_log_the_options_and_the_time() {
    let room = tempfile::tempdir().unwrap();
    let log = room.path().join("a.aof");
    // Several blocks with different content.
    let commands = (0..40_000_u64).map(|n| {
        let value = format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        format!(
            "*3\r\n$3\r\nSET\r\n${}\r\nkey:{n}\r\n${}\r\n{value}\r\n",
            n.to_string().len() + 4,
            value.len()
        )
    });
    fs::write(&log, commands.collect::<String>()).unwrap();
    for method in [Method::Deflate, Method::Zstd] {
        let mut made = Vec::new();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = CompressOptions {
                method,
                threads,
                check: threads == 2,
                ..CompressOptions::new(room.path().join(format!("{method}{threads}.zip")), time())
            };
            let report = pool.install(|| compress(&log, &options, &Silent)).unwrap();
            made.push(fs::read(report.output).unwrap());
        }
        assert!(made[0] == made[1] && made[1] == made[2], "{method}");
    }
}
