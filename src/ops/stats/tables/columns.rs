//! The columns of a table, and their values for one group of rows.

use std::fs::File;
use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

/// What the values of a column are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Int32,
    Int64,
    /// UTF-8.
    Text,
    Bytes,
    /// Unix milliseconds.
    Time,
}

/// The name of a column, its values, and whether it can be null.
pub(super) type Column = (&'static str, Of, bool);

/// The values of a column.
pub(super) enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Bytes(Vec<ByteArray>),
}

/// The values of a column for a group of rows; of one that can be null, whether each row has one.
pub(super) struct Data {
    values: Values,
    has: Option<Vec<i16>>,
}

impl Data {
    pub(super) fn int32(values: impl Iterator<Item = i32>) -> Data {
        Data { values: Values::Int32(values.collect()), has: None }
    }

    pub(super) fn int64(values: impl Iterator<Item = u64>) -> Data {
        Data { values: Values::Int64(values.map(signed).collect()), has: None }
    }

    pub(super) fn int64_if_any(values: impl Iterator<Item = Option<i64>>) -> Data {
        let (has, values) = split(values);
        Data { values: Values::Int64(values), has: Some(has) }
    }

    pub(super) fn bytes(values: impl Iterator<Item = Vec<u8>>) -> Data {
        Data { values: Values::Bytes(values.map(ByteArray::from).collect()), has: None }
    }

    pub(super) fn bytes_if_any(values: impl Iterator<Item = Option<Vec<u8>>>) -> Data {
        let (has, values) = split(values.map(|value| value.map(ByteArray::from)));
        Data { values: Values::Bytes(values), has: Some(has) }
    }
}

/// Returns a size as a signed number; no size that occurs is larger.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn split<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<i16>, Vec<T>) {
    let (mut has, mut some) = (Vec::new(), Vec::new());
    for value in values {
        has.push(i16::from(value.is_some()));
        some.extend(value);
    }
    (has, some)
}

/// A Parquet file that is being written.
pub(super) struct Table(SerializedFileWriter<File>);

impl Table {
    pub(super) fn begin(file: File, name: &str, columns: &[Column]) -> io::Result<Table> {
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema = Type::group_type_builder(name).with_fields(fields).build().map_err(failed)?;
        let level = ZstdLevel::try_new(1).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("aofkit ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            .map(Table)
            .map_err(failed)
    }

    /// Writes a group of rows: the values of each column, in the order of the columns.
    pub(super) fn write(&mut self, columns: Vec<Data>) -> io::Result<()> {
        self.try_write(columns).map_err(failed)
    }

    fn try_write(&mut self, columns: Vec<Data>) -> Result<(), ParquetError> {
        let mut group = self.0.next_row_group()?;
        for Data { values, has } in columns {
            let Some(mut column) = group.next_column()? else {
                return Err(ParquetError::General("more values than columns".to_owned()));
            };
            let has = has.as_deref();
            match values {
                Values::Int32(values) => {
                    column.typed::<Int32Type>().write_batch(&values, has, None)?
                }
                Values::Int64(values) => {
                    column.typed::<Int64Type>().write_batch(&values, has, None)?
                }
                Values::Bytes(values) => {
                    column.typed::<ByteArrayType>().write_batch(&values, has, None)?
                }
            };
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.0.close().map_err(failed)?;
        Ok(())
    }
}

fn field((name, of, can_be_null): &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match of {
        Of::Int32 => (Physical::INT32, None),
        Of::Int64 => (Physical::INT64, None),
        Of::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Of::Bytes => (Physical::BYTE_ARRAY, None),
        Of::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    let repetition = if *can_be_null { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(field))
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        other => io::Error::other(other),
    }
}
