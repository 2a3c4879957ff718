//! How the bytes of an entry are packed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the bytes of an entry are packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// As every zip has it, and every unzip reads it.
    #[default]
    Deflate,
    /// Faster and smaller; 7-Zip, libarchive and Python 3.14 read it, Info-ZIP's unzip does not.
    Zstd,
    /// Not at all.
    Store,
}

impl Method {
    /// The number that stands for it in a zip.
    pub fn number(self) -> u16 {
        match self {
            Method::Store => 0,
            Method::Deflate => 8,
            Method::Zstd => 93,
        }
    }

    /// The method of a number.
    pub fn of(number: u16) -> Option<Method> {
        [Method::Store, Method::Deflate, Method::Zstd].into_iter().find(|m| m.number() == number)
    }

    /// The levels that it has, and the one that is taken where none is named.
    pub fn levels(self) -> Option<(std::ops::RangeInclusive<i32>, i32)> {
        match self {
            Method::Deflate => Some((1..=9, 6)),
            Method::Zstd => Some((1..=19, 3)),
            Method::Store => None,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Method::Deflate => "deflate",
            Method::Zstd => "zstd",
            Method::Store => "store",
        })
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Method::Deflate, Method::Zstd, Method::Store]
            .into_iter()
            .find(|method| method.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no method; there are deflate, zstd and store"))
    }
}
