//! The commands of a synthetic log and their frequencies.

use std::fmt;
use std::str::FromStr;

/// The type of all keys with one prefix, so that no command accesses a key of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    Text,
    Counter,
    Hash,
    List,
    Set,
    SortedSet,
    Stream,
}

impl Pool {
    pub(super) const ALL: [Pool; 7] = [
        Pool::Text,
        Pool::Counter,
        Pool::Hash,
        Pool::List,
        Pool::Set,
        Pool::SortedSet,
        Pool::Stream,
    ];

    pub(super) fn prefix(self) -> &'static str {
        match self {
            Pool::Text => "session:",
            Pool::Counter => "counter:",
            Pool::Hash => "user:",
            Pool::List => "queue:",
            Pool::Set => "tags:",
            Pool::SortedSet => "board:",
            Pool::Stream => "events:",
        }
    }
}

macro_rules! kinds {
    ($($kind:ident $name:literal $pool:expr, $what:literal;)*) => {
        /// A kind of command in a synthetic log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Kind { $(#[doc = $what] $kind,)* }

        impl Kind {
            /// All kinds, in the order in which the help lists them.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];

            /// Returns the name of the kind in a [`Mix`].
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }

            /// Returns the pool of its keys; `None` for commands that work on keys of every type.
            pub(super) fn pool(self) -> Option<Pool> {
                match self { $(Kind::$kind => $pool,)* }
            }
        }
    };
}

kinds! {
    Set "set" Some(Pool::Text), "`SET key value`";
    SetPxat "setpxat" Some(Pool::Text), "`SET key value PXAT ms`";
    Append "append" Some(Pool::Text), "`APPEND key value`";
    Mset "mset" Some(Pool::Text), "`MSET` of three keys";
    Copy "copy" Some(Pool::Text), "`COPY key key REPLACE`";
    Incr "incr" Some(Pool::Counter), "`INCR key`";
    Hset "hset" Some(Pool::Hash), "`HSET key field value`";
    Hincrby "hincrby" Some(Pool::Hash), "`HINCRBY key field n`";
    Hdel "hdel" Some(Pool::Hash), "`HDEL key field`";
    Rpush "rpush" Some(Pool::List), "`RPUSH key value`";
    Lpush "lpush" Some(Pool::List), "`LPUSH key value`";
    Lpop "lpop" Some(Pool::List), "`LPOP key`";
    Lmove "lmove" Some(Pool::List), "`LMOVE key key LEFT RIGHT`";
    Sadd "sadd" Some(Pool::Set), "`SADD key member member`";
    Srem "srem" Some(Pool::Set), "`SREM key member`";
    Sunionstore "sunionstore" Some(Pool::Set), "`SUNIONSTORE key key key`";
    Zadd "zadd" Some(Pool::SortedSet), "`ZADD key score member`";
    Zincrby "zincrby" Some(Pool::SortedSet), "`ZINCRBY key n member`";
    Zrem "zrem" Some(Pool::SortedSet), "`ZREM key member`";
    Xadd "xadd" Some(Pool::Stream), "`XADD key id field value`";
    Pexpireat "pexpireat" None, "`PEXPIREAT key ms`";
    Del "del" None, "`DEL key`";
    Unlink "unlink" None, "`UNLINK key`";
    Flushdb "flushdb" None, "`FLUSHDB`";
    Flushall "flushall" None, "`FLUSHALL`";
}

/// Commands and their weights, written as `set=30,hset=15,del=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    weights: Vec<(Kind, u16)>,
}

impl Mix {
    /// Returns a table with one entry for each unit of weight: a uniform draw from it is a weighted draw of kinds.
    pub(super) fn table(&self) -> Vec<Kind> {
        self.weights
            .iter()
            .flat_map(|&(kind, weight)| std::iter::repeat_n(kind, usize::from(weight)))
            .collect()
    }

    /// Returns the types of keys that this mix writes to; never empty.
    pub(super) fn pools(&self) -> Vec<Pool> {
        let used = |pool: &Pool| self.weights.iter().any(|(kind, _)| kind.pool() == Some(*pool));
        let mut pools: Vec<Pool> = Pool::ALL.into_iter().filter(used).collect();
        if pools.is_empty() {
            pools.push(Pool::Text);
        }
        pools
    }
}

impl Default for Mix {
    /// Returns the writes of a cache with users, sessions, counters and queues.
    fn default() -> Self {
        Mix {
            weights: vec![
                (Kind::Set, 30),
                (Kind::Hset, 15),
                (Kind::Incr, 14),
                (Kind::Zadd, 10),
                (Kind::Rpush, 9),
                (Kind::Sadd, 8),
                (Kind::Pexpireat, 9),
                (Kind::Del, 5),
            ],
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (kind, weight)) in self.weights.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}={weight}", kind.name())?;
        }
        Ok(())
    }
}

impl FromStr for Mix {
    type Err = String;

    /// Parses `NAME=WEIGHT,NAME=WEIGHT`; a name alone has weight 1, and `expire` means `pexpireat`, which is what a
    /// server logs for it.
    ///
    /// # Errors
    ///
    /// A message for display: an unknown or repeated name, a weight that is not an integer up to 1000, or a total
    /// weight of zero.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut weights: Vec<(Kind, u16)> = Vec::new();
        for item in text.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let (name, weight) = item.split_once('=').unwrap_or((item, "1"));
            let name = match name.trim().to_ascii_lowercase().as_str() {
                "expire" => "pexpireat".to_owned(),
                other => other.to_owned(),
            };
            let Some(&kind) = Kind::ALL.iter().find(|kind| kind.name() == name) else {
                let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                return Err(format!("`{name}` is none of {}", known.join(", ")));
            };
            let weight = match weight.trim().parse::<u16>() {
                Ok(weight @ 0..=1000) => weight,
                _ => return Err(format!("`{item}`: a weight is a whole number up to 1000")),
            };
            if weights.iter().any(|&(seen, _)| seen == kind) {
                return Err(format!("`{name}` is named twice"));
            }
            weights.push((kind, weight));
        }
        weights.retain(|&(_, weight)| weight > 0);
        if weights.is_empty() {
            return Err("nothing in it weighs anything; try set=3,del=1".to_owned());
        }
        Ok(Mix { weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix_round_trips_through_text() {
        let mix = Mix::default();
        assert_eq!(mix.to_string().parse(), Ok(mix.clone()));
        assert_eq!(
            mix.to_string(),
            "set=30,hset=15,incr=14,zadd=10,rpush=9,sadd=8,pexpireat=9,del=5"
        );
        assert_eq!("EXPIRE=2, set".parse::<Mix>().unwrap().to_string(), "pexpireat=2,set=1");
        assert_eq!("set=0,del=1".parse::<Mix>().unwrap().to_string(), "del=1");
        assert_eq!(mix.table().len(), 100);
    }

    #[test]
    fn invalid_mixes_are_rejected_with_reason() {
        for (text, says) in [
            ("", "nothing"),
            ("set=0", "nothing"),
            ("set=1,set=2", "twice"),
            ("set=-1", "whole number"),
            ("set=1001", "whole number"),
            ("get=1", "none of set, setpxat"),
        ] {
            let reported = text.parse::<Mix>().unwrap_err();
            assert!(reported.contains(says), "{text}: {reported}");
        }
    }
}
