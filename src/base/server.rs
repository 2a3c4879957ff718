//! Server versions, and the behaviour of their loaders.
//!
//! A file is never simply "valid": one server loads it, another refuses it, a third truncates it.
//! [`Server`] identifies a release line, and its methods describe the behaviour in which the lines
//! differ. Facts marked *observed* were observed on Redis 6.2.5, 7.0.15, 8.2.3 and Valkey 9.1.2, and on
//! Redis 8.6.3 where it is named; the others were read in the source code of the release line. Of Redis
//! 8.4, 8.8, 8.10 and 8.12 and Valkey 9.2, which could not be run, they are as reported by others.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The two products that share the append-only file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Redis, all versions.
    Redis,
    /// Valkey, forked from Redis 7.2.
    Valkey,
}

/// A release line of a server, such as `redis-7.0` or `valkey-9.1`.
///
/// Ordered by product, then version. Written and parsed as `PRODUCT-MAJOR.MINOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// Redis or Valkey.
    pub product: Product,
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
}

/// `redis-MAJOR.MINOR`.
pub const fn redis(major: u8, minor: u8) -> Server {
    Server { product: Product::Redis, major, minor }
}

/// `valkey-MAJOR.MINOR`.
pub const fn valkey(major: u8, minor: u8) -> Server {
    Server { product: Product::Valkey, major, minor }
}

/// The default of the servers' `databases` option.
pub const DEFAULT_DATABASES: u64 = 16;

/// The release lines for which a file is checked by default, oldest first.
pub const KNOWN: &[Server] = &[
    redis(4, 0),
    redis(5, 0),
    redis(6, 0),
    redis(6, 2),
    redis(7, 0),
    redis(7, 2),
    redis(7, 4),
    redis(8, 0),
    redis(8, 2),
    redis(8, 4),
    redis(8, 6),
    redis(8, 8),
    redis(8, 10),
    redis(8, 12),
    valkey(7, 2),
    valkey(8, 0),
    valkey(8, 1),
    valkey(9, 0),
    valkey(9, 1),
    valkey(9, 2),
];

impl Server {
    /// Returns whether this line has all features of Redis `major.minor`.
    ///
    /// Valkey counts as the Redis 7.2 that it was forked from, whatever its own version; later
    /// Redis features are not assumed for it.
    pub fn has_redis(self, major: u8, minor: u8) -> bool {
        let as_redis = match self.product {
            Product::Redis => (self.major, self.minor),
            Product::Valkey => (7, 2),
        };
        as_redis >= (major, minor)
    }

    /// Returns whether this is Valkey `major.minor` or later.
    pub fn has_valkey(self, major: u8, minor: u8) -> bool {
        self.product == Product::Valkey && (self.major, self.minor) >= (major, minor)
    }

    /// Returns whether the server reads a multi-part directory with a manifest (Redis 7.0 and
    /// later, all of Valkey).
    pub fn reads_multi_part(self) -> bool {
        self.has_redis(7, 0)
    }

    /// Returns whether the server leaves out fields of hashes that have expired when it loads a log: Redis does, and
    /// Valkey does not.
    pub fn ignores_expired_fields(self) -> bool {
        self.product == Product::Redis && self.has_redis(7, 4)
    }

    /// Returns whether the server skips lines that begin with `#` between commands (Redis 7.0 and
    /// later). *Observed.*
    pub fn reads_annotations(self) -> bool {
        self.has_redis(7, 0)
    }

    /// Returns the size of the buffer into which the loader reads header lines, in bytes including
    /// the terminating NUL: 128 up to Redis 6.2, 1024 since. *Observed.*
    pub fn line_buffer_bytes(self) -> usize {
        if self.has_redis(7, 0) { 1024 } else { 128 }
    }

    /// Returns whether the server refuses a command with the wrong number of arguments during
    /// loading, instead of running it with out-of-bounds arguments. *Observed* for Valkey 8.1, 9.0 and
    /// 9.1 (refuse), and Valkey 8.0 and Redis 5.0 to 8.6 (do not).
    pub fn checks_arity(self) -> bool {
        self.has_valkey(8, 1)
    }

    /// Returns whether the server looks up subcommands of containers such as `XGROUP` before
    /// running them, so that an unknown one is fatal (Redis 7.0 and later).
    pub fn checks_subcommands(self) -> bool {
        self.has_redis(7, 0)
    }

    /// Returns whether the server truncates to before the MULTI if the file ends inside a command
    /// inside MULTI. The others truncate after the last complete queued command and leave the MULTI
    /// dangling. *Observed.*
    pub fn cuts_torn_transaction_whole(self) -> bool {
        self.has_valkey(9, 1)
    }

    /// Returns whether the server has no valid truncation point before the first command, so that a
    /// file that begins with an RDB and is torn in its first command or transaction is truncated to
    /// nothing, including the RDB. *Observed* for 6.2, 7.0, 8.2 (do so) and 9.1 (does not).
    pub fn cuts_the_rdb_before_a_torn_command(self) -> bool {
        !self.has_valkey(9, 1)
    }

    /// Returns the highest RDB version that this line loads under the `REDIS` magic. *Observed* up to
    /// 8.2 and for 8.6; reported for 8.4, 8.8 and 8.10. For 8.12, 17 is reported, and 16 for its
    /// development branch.
    pub fn highest_redis_rdb(self) -> u32 {
        match self.product {
            Product::Valkey => 11,
            Product::Redis => match (self.major, self.minor) {
                (..=2, ..) => 6,
                (3, 0) => 6,
                (3, _) => 7,
                (4, _) => 8,
                (5 | 6, _) => 9,
                (7, 0) => 10,
                (7, 2) => 11,
                (7, _) | (8, ..=5) => 12,
                (8, 6 | 7) => 13,
                (8, 8 | 9) => 14,
                (8, 10 | 11) => 15,
                _ => 17,
            },
        }
    }

    /// Whether this line came after those that are known here.
    pub fn is_newer_than_known(self) -> bool {
        let of_product = KNOWN.iter().filter(|known| known.product == self.product);
        of_product.max().is_some_and(|newest| self > *newest)
    }

    /// Returns whether the RDB format of this line was *observed*. The formats of Redis 8.8 and later
    /// and Valkey 9.2 and later are known from reports alone, so these lines may load content that is
    /// unknown here.
    pub fn has_observed_rdb(self) -> bool {
        match self.product {
            Product::Redis => !self.has_redis(8, 7),
            Product::Valkey => !self.has_valkey(9, 2),
        }
    }

    /// Whether a module's data can be read without loading a module: of vector sets, since Redis 8.0.
    pub fn brings_module(self, name: &str) -> bool {
        name == "vectorset" && self.product == Product::Redis && self.has_redis(8, 0)
    }

    /// Returns whether the server loads an RDB that is compressed as a whole, in an LZ4 frame. As reported for
    /// Valkey 9.2 (valkey #3531 and #4754), not observed.
    pub fn loads_compressed_rdb(self) -> bool {
        self.has_valkey(9, 2)
    }

    /// Returns the highest RDB version that this line loads under the `VALKEY` magic, if it
    /// supports it.
    pub fn highest_valkey_rdb(self) -> Option<u32> {
        self.has_valkey(9, 0).then_some(80)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = match self.product {
            Product::Redis => "redis",
            Product::Valkey => "valkey",
        };
        write!(f, "{product}-{}.{}", self.major, self.minor)
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Server {
    type Err = String;

    /// Parses `redis-7.0` or `valkey-9.1`; a patch level is accepted and ignored.
    ///
    /// # Errors
    ///
    /// Returns a sentence for display if the text has another form.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("`{text}` names no server line; write it as redis-7.0 or valkey-9.1");
        let (product, version) = text.split_once('-').ok_or_else(wrong)?;
        let product = match product.to_ascii_lowercase().as_str() {
            "redis" => Product::Redis,
            "valkey" => Product::Valkey,
            _ => return Err(wrong()),
        };
        let mut numbers = version.split('.');
        let mut number = || numbers.next().and_then(|n| n.parse::<u8>().ok());
        let (Some(major), Some(minor)) = (number(), number()) else {
            return Err(wrong());
        };
        Ok(Server { product, major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for server in KNOWN {
            assert_eq!(server.to_string().parse(), Ok(*server));
        }
        assert_eq!("Redis-7.0.15".parse(), Ok(redis(7, 0)));
        assert!("7.0".parse::<Server>().is_err());
        assert!("keydb-6.3".parse::<Server>().is_err());
    }

    #[test]
    fn a_line_is_newer_than_known_by_its_own_product() {
        assert!(redis(8, 14).is_newer_than_known() && valkey(9, 3).is_newer_than_known());
        assert!(!redis(8, 12).is_newer_than_known() && !valkey(9, 2).is_newer_than_known());
    }

    #[test]
    fn rdb_versions_of_newer_lines_are_as_reported() {
        let versions = [(2, 12), (4, 12), (6, 13), (8, 14), (10, 15), (12, 17)];
        for (minor, version) in versions {
            assert_eq!(redis(8, minor).highest_redis_rdb(), version, "8.{minor}");
        }
        assert!(redis(8, 6).has_observed_rdb() && !redis(8, 8).has_observed_rdb());
        assert!(valkey(9, 1).has_observed_rdb() && !valkey(9, 2).has_observed_rdb());
    }

    #[test]
    fn valkey_has_what_redis_had_when_it_was_forked_and_no_more() {
        assert!(valkey(9, 1).has_redis(7, 2));
        assert!(!valkey(9, 1).has_redis(7, 4));
        assert!(!redis(8, 2).has_valkey(7, 2));
    }
}
