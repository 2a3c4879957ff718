//! The compression methods of an entry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The compression method of an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Deflate, which every unzip supports.
    #[default]
    Deflate,
    /// Zstandard, which is faster and smaller; 7-Zip, libarchive and Python 3.14 support it, Info-ZIP's unzip does not.
    Zstd,
    /// No compression.
    Store,
}

impl Method {
    /// Returns the method's number in the ZIP format.
    pub fn number(self) -> u16 {
        match self {
            Method::Store => 0,
            Method::Deflate => 8,
            Method::Zstd => 93,
        }
    }

    /// Returns the method with a number.
    pub fn from_number(number: u16) -> Option<Method> {
        [Method::Store, Method::Deflate, Method::Zstd].into_iter().find(|m| m.number() == number)
    }

    /// Returns the range of levels and the default level; `None` if there are no levels.
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
            .ok_or_else(|| format!("`{text}` is not a method; use deflate, zstd or store"))
    }
}
