//! Sparse files, which have the length of another file and only its first bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes of `piece`, which belongs at byte `at`, what is before byte `limit`, and extends the file to the end of the
/// piece.
///
/// # Errors
///
/// Fails if the file system is full or does not support a file of this length.
pub fn write_head(file: &File, piece: &[u8], at: u64, limit: u64) -> io::Result<()> {
    let room = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
    file.write_all_at(piece.get(..room).unwrap_or(piece), at)?;
    file.set_len(at.saturating_add(piece.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn only_the_head_takes_space() {
        let file = tempfile::tempfile().unwrap();
        let piece = vec![7; 1 << 20];
        for number in 0..8_u64 {
            write_head(&file, &piece, number << 20, 5).unwrap();
        }
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 8 << 20);
        assert!(metadata.blocks() * 512 < 1 << 20, "{}", metadata.blocks());
        let mut head = [0; 7];
        file.read_exact_at(&mut head, 0).unwrap();
        assert_eq!(head, [7, 7, 7, 7, 7, 0, 0]);
    }
}
