//! Zips: whatever they are, they are read calmly, and in a memory that their sizes do not decide.

use aofkit::base::level::Level;
use aofkit::input::archive::verify::verify_bytes;

/// Any bytes are taken without a panic, each finding says what is wrong, and what is sound says so consistently.
pub fn archive(bytes: &[u8]) {
    let Ok(report) = verify_bytes(bytes) else { return };
    let errors = report.findings.iter().filter(|finding| finding.level == Level::Error).count();
    assert_eq!(report.sound, errors == 0);
    assert!(report.findings.iter().all(|finding| !finding.message.is_empty()));
    // The worst first.
    assert!(report.findings.is_sorted_by_key(|finding| std::cmp::Reverse(finding.level)));
    let sum: u64 = report.entries.iter().map(|entry| entry.bytes).sum();
    assert_eq!(sum, report.bytes);
    if report.sound {
        let packed: u64 = report.entries.iter().map(|entry| entry.packed_bytes).sum();
        assert!(packed <= bytes.len() as u64, "entries share bytes");
        if let Some(contents) = &report.contents {
            assert_eq!(contents.files.len() + 1, report.entries.len());
            let commands: u64 = contents.files.iter().map(|file| file.commands).sum();
            assert_eq!(commands, report.commands);
        }
    }
}
