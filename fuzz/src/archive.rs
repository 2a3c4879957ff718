//! Zip archives: arbitrary bytes are read without a panic, and with memory that does not depend on the declared sizes.

use aofkit::base::level::Level;
use aofkit::input::archive::verify::verify_bytes;

/// Arbitrary bytes are read without a panic, each finding has a message, and the report of a valid archive is consistent.
pub fn archive(bytes: &[u8]) {
    let Ok(report) = verify_bytes(bytes) else { return };
    let errors = report.findings.iter().filter(|finding| finding.level == Level::Error).count();
    assert_eq!(report.sound, errors == 0);
    assert!(report.findings.iter().all(|finding| !finding.message.is_empty()));
    // The most severe finding first.
    assert!(report.findings.is_sorted_by_key(|finding| std::cmp::Reverse(finding.level)));
    let sum: u64 = report.entries.iter().map(|entry| entry.bytes).sum();
    assert_eq!(sum, report.bytes);
    if report.sound {
        let compressed: u64 = report.entries.iter().map(|entry| entry.packed_bytes).sum();
        assert!(compressed <= bytes.len() as u64, "entries share bytes");
        if let Some(contents) = &report.contents {
            assert_eq!(contents.files.len() + 1, report.entries.len());
            let commands: u64 = contents.files.iter().map(|file| file.commands).sum();
            assert_eq!(commands, report.commands);
        }
    }
}
