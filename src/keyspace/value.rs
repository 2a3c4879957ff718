//! The value of a key.

use crate::disk::{prefetch, prefetch_ref};
use crate::rdb::Kind;

use crate::keyspace::array::Array;
use crate::keyspace::hash::Hash;
use crate::keyspace::list::List;
use crate::keyspace::set::Set;
use crate::keyspace::stream::Stream;
use crate::keyspace::string::StringValue;
use crate::keyspace::zset::Zset;

/// A value.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // The names are self-explanatory.
pub enum Value<'a> {
    String(StringValue<'a>),
    List(Box<List<'a>>),
    Set(Box<Set<'a>>),
    Zset(Box<Zset<'a>>),
    Hash(Box<Hash<'a>>),
    Stream(Box<Stream<'a>>),
    Array(Box<Array<'a>>),
    /// A module's value as in an RDB, from the module's id to the end mark.
    Module(&'a [u8]),
    /// A value that is not supported, and that is carried as commands.
    Opaque(Box<Opaque<'a>>),
}

impl Value<'_> {
    /// Returns the type. An unsupported value counts as a module's value.
    pub fn kind(&self) -> Kind {
        match self {
            Value::String(_) => Kind::String,
            Value::List(_) => Kind::List,
            Value::Set(_) => Kind::Set,
            Value::Zset(_) => Kind::Zset,
            Value::Hash(_) => Kind::Hash,
            Value::Stream(_) => Kind::Stream,
            Value::Array(_) => Kind::Array,
            Value::Module(_) | Value::Opaque(_) => Kind::Module,
        }
    }

    /// Returns whether the value is an empty collection. Redis 6.2 has such hashes in memory if an
    /// HINCRBYFLOAT failed on a missing key. When it rewrites its log it omits them, and so does
    /// this crate. A stream without entries is a regular value.
    pub fn lacks_elements(&self) -> bool {
        match self {
            Value::List(list) => list.elements.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::Zset(zset) => zset.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Array(array) => array.is_empty(),
            Value::String(_) | Value::Stream(_) | Value::Module(_) | Value::Opaque(_) => false,
        }
    }

    /// Prefetches the beginning of a value that is allocated separately from its key.
    #[inline]
    pub fn ask_box(&self) {
        match self {
            Value::List(list) => prefetch_ref(&**list),
            Value::Set(set) => prefetch_ref(&**set),
            Value::Zset(zset) => prefetch_ref(&**zset),
            Value::Hash(hash) => prefetch_ref(&**hash),
            _ => {}
        }
    }

    /// Prefetches the bytes of a value that will be read soon.
    pub fn ask(&self) {
        match self {
            Value::String(StringValue::Borrowed(bytes)) => ask(bytes),
            Value::List(list) => list.elements.iter().take(ASKED).for_each(|element| ask(element)),
            Value::Hash(hash) => hash.fields().take(ASKED).for_each(|(_, value, _)| {
                if let StringValue::Borrowed(bytes) = value {
                    ask(bytes);
                }
            }),
            _ => {}
        }
    }
}

/// Maximum number of elements of a collection that are prefetched: more would evict each other.
const ASKED: usize = 16;

fn ask(bytes: &[u8]) {
    prefetch(bytes, 0);
    if bytes.len() > 64 {
        prefetch(bytes, 64);
    }
}

/// A key that was changed by an unsupported command: the value before it and all commands since.
#[derive(Debug, Clone)]
pub struct Opaque<'a> {
    /// The previous value.
    pub before: Option<Value<'a>>,
    /// The commands since then, each a complete frame, in order.
    pub frames: Vec<&'a [u8]>,
}

/// A type of value.
pub trait Typed<'a>: Sized {
    /// Creates an empty value of this type.
    fn empty() -> Value<'a>;
    /// Returns the value if it has this type.
    fn as_type<'v>(value: &'v Value<'a>) -> Option<&'v Self>;
    /// Returns the value for modification if it has this type.
    fn of_mut<'v>(value: &'v mut Value<'a>) -> Option<&'v mut Self>;
}

macro_rules! typed {
    ($($variant:ident $type:ident, $empty:expr;)*) => {
        $(
            impl<'a> Typed<'a> for $type<'a> {
                fn empty() -> Value<'a> {
                    $empty
                }

                #[inline]
                fn as_type<'v>(value: &'v Value<'a>) -> Option<&'v Self> {
                    match value {
                        Value::$variant(value) => Some(value),
                        _ => None,
                    }
                }

                #[inline]
                fn of_mut<'v>(value: &'v mut Value<'a>) -> Option<&'v mut Self> {
                    match value {
                        Value::$variant(value) => Some(value),
                        _ => None,
                    }
                }
            }
        )*
    };
}

typed! {
    String StringValue, Value::String(StringValue::default());
    List List, Value::List(Box::default());
    Set Set, Value::Set(Box::default());
    Zset Zset, Value::Zset(Box::default());
    Hash Hash, Value::Hash(Box::default());
    Stream Stream, Value::Stream(Box::default());
    Array Array, Value::Array(Box::default());
}
