//! What subcommands take that look at some keys alone.

use std::marker::PhantomData;

use clap::Args;

use crate::glob::Glob;
use crate::ops::key_filter::KeyFilter;

/// Which keys: the same arguments everywhere, each told in the words of its subcommand.
#[derive(Debug, Args)]
pub(super) struct KeyArgs<W: Words> {
    #[arg(short, long, value_name = "N", help = W::DB)]
    db: Vec<u32>,
    #[arg(long, value_name = "GLOB", help = W::PATTERN)]
    pattern: Vec<Glob>,
    #[arg(long, value_name = "GLOB", help = W::EXCLUDE)]
    exclude: Vec<Glob>,
    #[arg(skip)]
    words: PhantomData<W>,
}

/// What the help says of them.
pub(super) trait Words {
    const DB: &'static str;
    const PATTERN: &'static str;
    const EXCLUDE: &'static str = "Leave out keys that match this pattern; may be repeated";
}

impl<W: Words> KeyArgs<W> {
    pub(super) fn filter(&self) -> KeyFilter {
        KeyFilter {
            dbs: self.db.clone(),
            patterns: self.pattern.clone(),
            excluded: self.exclude.clone(),
        }
    }
}
