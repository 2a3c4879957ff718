//! What subcommands take that mend a log: where the result goes.

use std::marker::PhantomData;
use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, ErrorKind, Result};
use crate::ops::kept::Output;

/// Where the result goes, told in the words of the subcommand.
#[derive(Debug, Args)]
pub(super) struct Placing<W: Words> {
    #[arg(short, long, value_name = "NEW", conflicts_with = "in_place", help = W::OUTPUT)]
    output: Option<PathBuf>,
    #[arg(long, help = W::IN_PLACE)]
    in_place: bool,
    /// Plan and report, write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[arg(skip)]
    words: PhantomData<W>,
}

/// What the help says of it, and the question where nothing was said.
pub(super) trait Words {
    const OUTPUT: &'static str;
    const IN_PLACE: &'static str;
    const QUESTION: &'static str;
}

impl<W: Words> Placing<W> {
    /// Whether a place was named.
    pub(super) fn is_given(&self) -> bool {
        self.output.is_some() || self.in_place
    }

    pub(super) fn output(&self) -> Result<Output> {
        match (&self.output, self.in_place, self.dry_run) {
            (_, _, true) => Ok(Output::DryRun),
            (Some(new), _, _) => Ok(Output::New(new.clone())),
            (None, true, _) => Ok(Output::InPlace),
            (None, false, _) => Err(Error::new(ErrorKind::Usage, W::QUESTION).help(
                "--output NEW writes a new one, --in-place replaces this one and keeps the original, --dry-run only looks",
            )),
        }
    }
}
