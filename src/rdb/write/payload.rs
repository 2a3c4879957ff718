//! Writing the payload of DUMP: see [`dump`](super::super::dump).

use super::super::checksum::crc64;
use super::out::{Out, Put};
use super::target::Target;
use super::value::Encoder;
use super::view::Value;
use super::writer::{Options, WriteError, carries};

/// Writes values as payloads of DUMP, with buffers that are reused from value to value.
pub(crate) struct PayloadWriter {
    out: Out<Vec<u8>>,
    encoder: Encoder,
    options: Options,
}

impl PayloadWriter {
    /// Creates a writer of payloads in this version.
    pub(crate) fn new(target: Target, options: &Options) -> Self {
        PayloadWriter {
            out: Out::new(Vec::new()),
            encoder: Encoder::new(target, options.compress),
            options: *options,
        }
    }

    /// Returns the payload of a value, with which RESTORE creates it. `db` and `name` identify the key in errors.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Unfit`] if the version does not support the value.
    pub(crate) fn payload(
        &mut self,
        (db, name): (u32, &[u8]),
        value: &Value<'_>,
    ) -> Result<Vec<u8>, WriteError> {
        let target = self.encoder.target;
        carries(target, &self.options, (u64::from(db), name), value)?;
        // A payload is a record of a file without the key between type and value.
        self.encoder.record(&mut self.out, b"", value);
        self.out.check()?;
        let record = self.out.take_bytes();
        let (code, value) = record.split_at(1);
        let mut payload = Vec::with_capacity(record.len() + 9);
        payload.put(code);
        payload.put(value.get(1..).unwrap_or_default());
        let version = u16::try_from(target.version()).unwrap_or(u16::MAX);
        payload.put(&version.to_le_bytes());
        payload.put(&crc64(&payload).to_le_bytes());
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The replies of servers to `DUMP k` after `SET k v`.
    #[test]
    fn payload_is_that_of_a_server() {
        for (target, dumped) in [
            (Target::REDIS_9, &b"\0\x01v\x09\0A\xfa\x9f~M\xbe\xe9\x7f"[..]),
            (Target::REDIS_10, b"\0\x01v\x0a\0\x91\x08\xce\xb2\x198\x8a\xce"),
        ] {
            let mut writer = PayloadWriter::new(target, &Options::default());
            for _ in 0..2 {
                let payload = writer.payload((0, b"k"), &Value::String(b"v"));
                assert_eq!(payload.expect("a string fits"), dumped);
            }
        }
    }
}
