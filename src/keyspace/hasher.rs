//! The hash function of the tables of keys and members.

/// The hasher of members and keys: seeded anew in each process, for the bytes come from outside.
pub(crate) type Hasher = hashbrown::DefaultHashBuilder;
