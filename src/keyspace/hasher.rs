//! The hash function of the tables of keys and members.

/// The hasher of members and keys, with a new seed for each process, because the bytes are
/// untrusted.
pub(crate) type Hasher = hashbrown::DefaultHashBuilder;
