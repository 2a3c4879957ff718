//! Joining the encoded shards of a data set to one file, ordered by database and shard.
//!
//! The keys of the first database are written to the output at once. The keys of other databases come after them in the
//! file, so that they are spooled to an unnamed file next to the output until then. The header before the keys of the
//! first database is written last, into space reserved for it, because an RDB records there how many keys follow.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::server::Server;
use crate::disk::Writeback;
use crate::keyspace::from_rdb::NonKeyData;
use crate::rdb::write::{self, Notes, Part, WriteError, Writer};
use crate::rdb::{AuxWhen, Target};
use crate::rewrite::commands::CommandWriter;
use crate::rewrite::fit::Encoding;

/// The encoding of the keys.
#[derive(Debug, Clone)]
pub(super) enum Style {
    /// Commands for this server.
    Commands(Server),
    /// An RDB.
    Rdb { target: Target, options: write::Options, notes: Notes },
}

impl Style {
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            Style::Commands(_) => Encoding::Commands,
            Style::Rdb { target, .. } => Encoding::Rdb(*target),
        }
    }
}

/// The encoded keys of one database in one shard.
pub(super) struct Piece {
    pub(super) db: u32,
    pub(super) keys: u64,
    pub(super) with_expiry: u64,
    pub(super) bytes: Vec<u8>,
    /// The checksum of the piece, for an RDB.
    pub(super) sum: u64,
}

/// A file to which shards are joined.
pub(super) struct Output<'o> {
    /// The output file; `None` if only the length is computed.
    file: Option<&'o File>,
    writeback: Option<Writeback<'o>>,
    path: PathBuf,
    style: &'o Style,
    non_key: &'o NonKeyData<'o>,
    first: Option<Section>,
    /// The other databases, each in the order of shards.
    others: BTreeMap<u32, Section>,
    spool: Option<Spool>,
}

/// The pieces of one database.
struct Section {
    db: u32,
    keys: u64,
    with_expiry: u64,
    pieces: Vec<PieceLocation>,
    /// The offset of the end of its last piece: in the output for the first database, otherwise in the spool file.
    end: u64,
}

/// The location of a piece.
struct PieceLocation {
    offset: u64,
    part: Part,
}

struct Spool {
    file: File,
    len: u64,
}

impl Section {
    fn new(db: u32) -> Section {
        Section { db, keys: 0, with_expiry: 0, pieces: Vec::new(), end: 0 }
    }

    fn add(&mut self, piece: &Piece, offset: u64) {
        self.keys += piece.keys;
        self.with_expiry += piece.with_expiry;
        let part = Part { len: piece.bytes.len() as u64, sum: piece.sum };
        self.pieces.push(PieceLocation { offset, part });
        self.end = offset + part.len;
    }
}

impl<'o> Output<'o> {
    /// Writes to `file`, which is empty and has the path `path`; without a file, only counts.
    pub(super) fn new(
        file: Option<&'o File>,
        path: &Path,
        style: &'o Style,
        non_key: &'o NonKeyData<'o>,
    ) -> Self {
        Output {
            file,
            writeback: file.map(Writeback::new),
            path: path.to_owned(),
            style,
            non_key,
            first: None,
            others: BTreeMap::new(),
            spool: None,
        }
    }

    /// Adds the keys of a shard. Shards must be added in order.
    pub(super) fn add(&mut self, pieces: Vec<Piece>) -> Result<()> {
        for piece in pieces {
            self.add_piece(&piece)?;
        }
        Ok(())
    }

    fn add_piece(&mut self, piece: &Piece) -> Result<()> {
        if self.first.is_none() {
            let mut first = Section::new(piece.db);
            first.end = self.head(&first)?.len() as u64;
            self.first = Some(first);
        }
        if let Some(first) = self.first.as_mut().filter(|first| first.db == piece.db) {
            let offset = first.end;
            first.add(piece, offset);
            let mut placed = Placed { file: self.file, at: offset };
            placed.write_all(&piece.bytes).map_err(|e| self.failed(e))?;
            let bytes = piece.bytes.len() as u64;
            let sent = self.writeback.as_mut().map_or(Ok(()), |writeback| writeback.wrote(bytes));
            return sent.map_err(|e| self.failed(e));
        }
        let section = self.others.entry(piece.db).or_insert_with(|| Section::new(piece.db));
        let offset = self.spool.as_ref().map_or(0, |spool| spool.len);
        section.add(piece, offset);
        if self.file.is_some() { self.spool(&piece.bytes) } else { Ok(()) }
    }

    /// Spools bytes that come later in the file.
    fn spool(&mut self, bytes: &[u8]) -> Result<()> {
        if self.spool.is_none() {
            let directory = self.path.parent().unwrap_or(Path::new("."));
            let file = tempfile::tempfile_in(directory)
                .map_err(|e| Error::io("make a temporary file in", directory, e))?;
            self.spool = Some(Spool { file, len: 0 });
        }
        if let Some(spool) = &mut self.spool {
            spool
                .file
                .write_all_at(bytes, spool.len)
                .map_err(|e| Error::io("write a temporary file beside", &self.path, e))?;
            spool.len += bytes.len() as u64;
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io("write", &self.path, error)
    }

    /// Returns the header before the keys of the first database. Its length does not depend on the number of keys.
    fn head(&self, first: &Section) -> Result<Vec<u8>> {
        match self.style {
            Style::Commands(server) => {
                let mut writer = self.functions_as_commands(*server)?;
                writer.select(first.db);
                Ok(writer.take())
            }
            Style::Rdb { target, options, notes } => {
                let mut head = Vec::new();
                let mut writer = Writer::new(&mut head, *target, options);
                self.rdb_head(&mut writer, notes, Some(first)).map_err(|e| e.at(&self.path))?;
                writer.finish_part().map_err(|e| e.at(&self.path))?;
                Ok(head)
            }
        }
    }

    fn functions_as_commands(&self, server: Server) -> Result<CommandWriter> {
        let mut writer = CommandWriter::new(server);
        for (name, library) in self.non_key.functions.iter() {
            writer.function(library.code()).map_err(|error| {
                let name = Shown(name);
                let message =
                    format!("function library {name} cannot be written for {server}: {error}");
                Error::new(ErrorKind::Refused, message).help("name a newer server with --for")
            })?;
        }
        Ok(writer)
    }

    fn rdb_head<W: Write>(
        &self,
        writer: &mut Writer<W>,
        notes: &Notes,
        first: Option<&Section>,
    ) -> Result<(), WriteError> {
        writer.notes(notes)?;
        for import in &self.non_key.slot_imports {
            writer.slot_import(&import.job, &import.ranges)?;
        }
        self.module_aux(writer, |when| *when != AuxWhen::After)?;
        for (_, library) in self.non_key.functions.iter() {
            writer.function(library.code())?;
        }
        match first {
            Some(first) => {
                writer.select_db_wide(u64::from(first.db), first.keys, first.with_expiry)
            }
            None => Ok(()),
        }
    }

    /// Writes the remaining data and returns the length of the file in bytes.
    pub(super) fn finish(mut self) -> Result<u64> {
        let first = self.first.take();
        let sent = self.writeback.take().map_or(Ok(()), Writeback::finish);
        sent.map_err(|e| self.failed(e))?;
        let mut placed = Placed { file: self.file, at: 0 };
        match self.style {
            Style::Commands(server) => {
                let head = match &first {
                    Some(first) => self.head(first)?,
                    None => self.functions_as_commands(*server)?.take(),
                };
                placed.write_all(&head).map_err(|e| self.failed(e))?;
                placed.at = first.map_or(placed.at, |first| first.end);
                for section in self.others.values() {
                    let mut select = CommandWriter::new(*server);
                    select.select(section.db);
                    placed.write_all(&select.take()).map_err(|e| self.failed(e))?;
                    for place in &section.pieces {
                        self.unspool(place, &mut placed).map_err(|e| self.failed(e))?;
                    }
                }
                Ok(placed.at)
            }
            Style::Rdb { target, options, notes } => {
                let writer = Writer::new(&mut placed, *target, options);
                self.finish_rdb(writer, notes, first.as_ref()).map_err(|e| e.at(&self.path))
            }
        }
    }

    fn finish_rdb(
        &self,
        mut writer: Writer<&mut Placed<'_>>,
        notes: &Notes,
        first: Option<&Section>,
    ) -> Result<u64, WriteError> {
        self.rdb_head(&mut writer, notes, first)?;
        for place in first.iter().flat_map(|first| &first.pieces) {
            // These bytes are in the output already.
            writer.join(&place.part, |placed| {
                placed.at += place.part.len;
                Ok(())
            })?;
        }
        for section in self.others.values() {
            writer.select_db(u64::from(section.db), section.keys, section.with_expiry)?;
            for place in &section.pieces {
                writer.join(&place.part, |placed| self.unspool(place, placed))?;
            }
        }
        self.module_aux(&mut writer, |when| *when == AuxWhen::After)?;
        writer.finish()
    }

    fn module_aux<W: Write>(
        &self,
        writer: &mut Writer<W>,
        wanted: impl Fn(&AuxWhen) -> bool,
    ) -> Result<(), WriteError> {
        let mut aux = self.non_key.module_aux.iter().filter(|(when, _)| wanted(when));
        aux.try_for_each(|(_, payload)| writer.module_aux(payload))
    }

    fn unspool(&self, place: &PieceLocation, placed: &mut Placed<'_>) -> io::Result<()> {
        if let (Some(spool), Some(mut to)) = (&self.spool, placed.file) {
            let mut from = &spool.file;
            from.seek(SeekFrom::Start(place.offset))?;
            to.seek(SeekFrom::Start(placed.at))?;
            if io::copy(&mut io::Read::take(from, place.part.len), &mut to)? < place.part.len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        placed.at += place.part.len;
        Ok(())
    }
}

/// A writer at a position in a file; without a file, only the position advances.
struct Placed<'f> {
    file: Option<&'f File>,
    at: u64,
}

impl Write for Placed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.file {
            Some(file) => file.write_at(bytes, self.at)?,
            None => bytes.len(),
        };
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
