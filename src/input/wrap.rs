//! A log, an RDB or a part of a set that is compressed as a whole, as by gzip or zstd.
//!
//! The content is written to a file without a name in the directory for temporary files, of which nothing is left however
//! the process ends. Memory does not grow with it, and it takes no more than nine tenths of the free space there.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use flate2::bufread::GzDecoder;

use super::files::open_content;
use crate::aof::conversion::{Change, Undone};
use crate::aof::foreign::foreign;
use crate::aof::log::{Log, Part};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::typed;
use crate::base::next_step::path_arg;
use crate::base::progress::Progress;
use crate::base::units::Bytes;
use crate::disk::{Mapping, free_bytes};

/// The help for a directory that cannot hold the content.
const TEMPORARY_DIRECTORY: &str =
    "the file is decompressed there first; set TMPDIR to use another directory";

/// The number of bytes that are decompressed at once.
const STEP_BYTES: usize = 256 << 10;

/// The largest window of a Zstandard frame, as a power of two, that is read without an option by `zstd` too.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    Gzip,
    Zstd,
}

/// A file that was decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unwrapped {
    pub(crate) wrap: Wrap,
    /// The reason why only a part of the content could be decompressed.
    pub(crate) fault: Option<String>,
}

impl Wrap {
    fn of(head: &[u8]) -> Option<Wrap> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Wrap::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Wrap::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Wrap::Gzip => "gzip",
            Wrap::Zstd => "Zstandard",
        }
    }
}

impl Unwrapped {
    /// Returns the change that was undone.
    pub(crate) fn undone(&self) -> Undone {
        let change = match self.wrap {
            Wrap::Gzip => Change::Gzip,
            Wrap::Zstd => Change::Zstd,
        };
        Undone::new(change, 1, 0)
    }

    /// Returns the error where only a part of the file at `path` could be decompressed.
    pub(crate) fn broken(&self, path: &Path) -> Option<Error> {
        let fault = self.fault.as_ref()?;
        let what = format!("the {} data is broken: {fault}", self.wrap.name());
        Some(Error::new(ErrorKind::Refused, what).at(path))
    }
}

/// Opens the file at `path` decompressed. `None`: it is not one file that is compressed.
///
/// # Errors
///
/// When the file cannot be read; [`ErrorKind::Refused`] if the content does not fit in the directory for temporary files, and when it
/// cannot be written there. Broken compressed data is no error: [`Unwrapped::fault`] reports it.
pub(crate) fn open_wrapped(
    path: &Path,
    progress: &dyn Progress,
) -> Result<Option<(Log, Unwrapped)>> {
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    // Only a file of this kind is mapped here: what is mapped once has one length.
    let Some(wrap) = wrap_of(path) else { return Ok(None) };
    let file = Mapping::open(path)?;
    progress.phase("decompress", file.len());
    let (content, unwrapped) = decompress(&file, wrap, progress)?;
    file.check()?;
    refuse_foreign(&content, wrap, path)?;
    let log = open_content(path, file.with_content(content)?);
    Ok(Some((log, unwrapped)))
}

/// Returns the content of a part of a set that is compressed; `None` if it is not.
///
/// # Errors
///
/// As [`open_wrapped`]; [`ErrorKind::Unrecognised`] if it is of another well-known format.
pub(crate) fn unwrap_part(
    part: &Part,
    progress: &dyn Progress,
) -> Result<Option<(Mapping, Unwrapped)>> {
    let file = &part.mapping;
    if part.compressed.is_some() {
        return Ok(None);
    }
    let Some(wrap) = Wrap::of(file.bytes()) else {
        return match foreign(file.bytes()) {
            Some((what, help)) => {
                Err(Error::new(ErrorKind::Unrecognised, format!("this is {what}"))
                    .at(&part.path)
                    .help(help_in_place(help, &part.path)))
            }
            None => Ok(None),
        };
    };
    progress.phase("decompress", file.len());
    let (content, unwrapped) = decompress(file, wrap, progress)?;
    refuse_foreign(&content, wrap, &part.path)?;
    Ok(Some((file.with_content(content)?, unwrapped)))
}

/// Returns the help for a file of another format with the path of the file in it, which the result is to replace.
fn help_in_place(help: &str, path: &Path) -> String {
    let file = typed(path_arg(path).as_ref());
    let new = typed(format!("{}.new", path_arg(path)).as_ref());
    let text = help.replace("FILE", &file).replace("NEW", &new);
    if help.contains("NEW") { format!("{text} && mv {new} {file}") } else { text }
}

fn refuse_foreign(content: &Mapping, wrap: Wrap, path: &Path) -> Result<()> {
    let Some((inner, help)) = foreign(content.bytes()) else { return Ok(()) };
    let what = format!("this is a {} file, and in it is {inner}", wrap.name());
    Err(Error::new(ErrorKind::Unrecognised, what).at(path).help(help))
}

/// Returns how the file at `path` is compressed. A file that cannot be read is reported by those who read all of it.
fn wrap_of(path: &Path) -> Option<Wrap> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(4).read_to_end(&mut head).ok()?;
    Wrap::of(&head)
}

fn decompress(file: &Mapping, wrap: Wrap, progress: &dyn Progress) -> Result<(Mapping, Unwrapped)> {
    let place = env::temp_dir();
    let failed = |error| Error::io("decompress a file to", &place, error).help(TEMPORARY_DIRECTORY);
    let free = free_bytes(&place).map_err(|error| error.help(TEMPORARY_DIRECTORY))?;
    // Other programs write there too.
    let limit = free / 10 * 9;
    let temporary = tempfile::tempfile().map_err(failed)?;
    let mut out = Limited { out: BufWriter::new(temporary), left: limit, progress };
    let written = match wrap {
        Wrap::Gzip => gzip(file.bytes(), &mut out),
        Wrap::Zstd => zstd(file.bytes(), &mut out),
    };
    let fault = written.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => {
            let what = format!(
                "what is in the {} file is longer than {}, and {} are free in {}",
                wrap.name(),
                Bytes(limit),
                Bytes(free),
                place.display()
            );
            Error::new(ErrorKind::Refused, what).at(file.path()).help(TEMPORARY_DIRECTORY)
        }
        _ => failed(error),
    })?;
    progress.check()?;
    let content = out.out.into_inner().map_err(|error| failed(error.into()))?;
    Ok((Mapping::from_file(content, file.path())?, Unwrapped { wrap, fault }))
}

/// A temporary file that does not grow beyond a limit.
struct Limited<'p> {
    out: BufWriter<File>,
    left: u64,
    progress: &'p dyn Progress,
}

impl Limited<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.progress.check_io()?;
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.write_all(piece)
    }
}

/// Copies what `decoder` gives, and returns the reason why it stopped before its end.
fn copy(mut decoder: impl Read, out: &mut Limited<'_>) -> io::Result<Option<String>> {
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(read) => out.write(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Some("the file ends before its end".to_owned()));
            }
            Err(error) => return Ok(Some(error.to_string())),
        }
    }
}

/// Writes the content of all members of a gzip file, as gzip does. Zeros after the last one are padding.
fn gzip(bytes: &[u8], out: &mut Limited<'_>) -> io::Result<Option<String>> {
    let mut rest = bytes;
    while Wrap::of(rest) == Some(Wrap::Gzip) {
        let mut decoder = GzDecoder::new(rest);
        if let Some(fault) = copy(&mut decoder, out)? {
            return Ok(Some(fault));
        }
        rest = decoder.into_inner();
    }
    let is_padding = rest.iter().all(|&byte| byte == 0);
    Ok((!is_padding).then(|| format!("{} bytes after it are no gzip data", rest.len())))
}

/// Writes the content of all frames of a Zstandard file.
fn zstd(bytes: &[u8], out: &mut Limited<'_>) -> io::Result<Option<String>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    copy(decoder, out)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::base::progress::Silent;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unwrapped(bytes: &[u8], limit: u64) -> io::Result<(Vec<u8>, Option<String>)> {
        let file = tempfile::NamedTempFile::new()?;
        let mut out =
            Limited { out: BufWriter::new(file.reopen()?), left: limit, progress: &Silent };
        let fault = match Wrap::of(bytes) {
            Some(Wrap::Gzip) => gzip(bytes, &mut out)?,
            _ => zstd(bytes, &mut out)?,
        };
        out.out.flush()?;
        Ok((fs::read(file.path())?, fault))
    }

    #[test]
    fn all_members_are_decompressed() {
        let (a, b) = (b"first".repeat(100_000), b"second".to_vec());
        let expected = [&a[..], &b].concat();
        let zst = |bytes: &[u8]| zstd::stream::encode_all(bytes, 3).unwrap();
        for wrapped in [
            gz(&expected),
            [gz(&a), gz(&b)].concat(),
            [gz(&a), gz(&b), vec![0; 512]].concat(),
            zst(&expected),
            [zst(&a), zst(&b)].concat(),
        ] {
            assert_eq!(unwrapped(&wrapped, 1 << 20).unwrap(), (expected.clone(), None));
            let error = unwrapped(&wrapped, expected.len() as u64 - 1).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        }
    }

    #[test]
    fn broken_data_gives_what_is_before_it_and_a_reason() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for wrapped in [gz(&content), zstd::stream::encode_all(&content[..], 3).unwrap()] {
            for end in [wrapped.len() / 2, wrapped.len() - 1] {
                let (found, fault) = unwrapped(&wrapped[..end], u64::MAX).unwrap();
                assert!(fault.is_some() && content.starts_with(&found), "{end}");
            }
            let (found, fault) = unwrapped(&[&wrapped[..], b"more"].concat(), u64::MAX).unwrap();
            assert!(fault.is_some() && found == content, "{fault:?}");
        }
        let mut wrong = gz(&content);
        let at = wrong.len() - 8;
        wrong[at] ^= 1;
        let (found, fault) = unwrapped(&wrong, u64::MAX).unwrap();
        assert!(fault.is_some_and(|it| it.contains("checksum")) && found == content);
    }
}
