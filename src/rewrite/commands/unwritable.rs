//! The reasons why something cannot be written as commands.

use std::fmt;

/// The reason why something cannot be written as commands that the target supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unwritable {
    /// A module's value: only the module knows the commands that create it.
    Module,
    /// A hash with fields that expire: since Redis 7.4 and Valkey 9.0.
    FieldExpiry,
    /// A function library: since Redis 7.0.
    Functions,
    /// A stream: since Redis 5.0.
    Stream,
    /// A stream with ids of producers: since Redis 8.6.
    Producers,
    /// A stream with a producer's entry that has no form as a command.
    ProducedEntry,
    /// A stream with entries that consumers gave back: since Redis 8.8.
    GivenBack,
    /// An array: since Redis 8.8.
    Array,
    /// The metadata of a module: only the module knows what creates it.
    Metadata,
    /// Members of a set or fields of a hash that expire in KeyDB.
    KeydbMembers,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unwritable::Module => "the value of a module has no form as commands",
            Unwritable::FieldExpiry => {
                "the target knows no fields that expire, which came with Redis 7.4 and Valkey 9.0"
            }
            Unwritable::Functions => "the target knows no functions, which came with Redis 7.0",
            Unwritable::Stream => "the target knows no streams, which came with Redis 5.0",
            Unwritable::Producers => {
                "the target knows no ids of producers in streams, which came with Redis 8.6"
            }
            Unwritable::ProducedEntry => {
                "an id that the server computed for a producer has no form as commands here"
            }
            Unwritable::GivenBack => "the target knows no XNACK, which came with Redis 8.8",
            Unwritable::Array => "the target knows no arrays, which came with Redis 8.8",
            Unwritable::Metadata => "the metadata of a module has no form as commands",
            Unwritable::KeydbMembers => "it has members that expire, which only KeyDB has",
        })
    }
}

impl std::error::Error for Unwritable {}
