//! `aofkit generate`: a synthetic log.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{Common, ReplacingArgs};
use super::exit::Exit;
use super::parse::parse_size;
use crate::base::error::Result;
use crate::ops::generate::{self, Amount, Layout, Mix};
use crate::report;

/// Generate a synthetic log, reproducible from its seed and options
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Generate {
    /// Write the log to this new file, or directory for the multi-part layout
    #[arg(short, long, value_name = "NEW")]
    output: PathBuf,

    #[command(flatten)]
    replacing: ReplacingArgs,

    /// Size of the log, all parts together [default: 64mb]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, conflicts_with = "commands")]
    size: Option<u64>,

    /// Number of write commands, instead of a size
    #[arg(long, value_name = "N")]
    commands: Option<u64>,

    /// Seed of the random generator; the same seed and options give the same bytes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Commands and their weights
    #[arg(long, value_name = "NAME=WEIGHT,...", default_value_t)]
    mix: Mix,

    /// Number of distinct keys in each database
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    keys: u64,

    /// Distribution of writes over keys
    #[arg(long, value_enum, default_value_t)]
    skew: Skew,

    /// Size of values
    #[arg(long, value_name = "SIZE[..SIZE]", value_parser = parse_sizes, default_value = "16..112")]
    values: RangeInclusive<u64>,

    /// Number of databases
    #[arg(long, value_name = "N", default_value_t = 1)]
    databases: u32,

    /// Fraction of transactions, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    transactions: f64,

    /// Fraction of values that look like commands, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, hide_short_help = true)]
    lookalikes: f64,

    /// Add timestamp annotations (#TS), starting at this Unix second [default: 1700000000]
    #[arg(long, value_name = "SECOND", hide_short_help = true, num_args = 0..=1, default_missing_value = "1700000000")]
    timestamps: Option<u64>,

    /// Number of commands per second of the annotated time
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        requires = "timestamps",
        hide_short_help = true
    )]
    rate: u64,

    /// Layout of the files
    #[arg(long, value_enum, default_value_t)]
    layout: Files,

    /// Number of incr parts in the multi-part layout
    #[arg(long, value_name = "N", default_value_t = 1)]
    incrs: u32,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Skew {
    /// The same for all keys
    #[default]
    Uniform,
    /// Weight 1/k for the k-th key of a type
    Zipf,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Files {
    /// One file, as in Redis up to 6.2
    #[default]
    Single,
    /// A directory with a manifest, as in later servers
    MultiPart,
}

const EXAMPLES: &str = "\
Examples:
  aofkit generate --output test.aof --size 1gb
  aofkit generate -o appendonlydir --layout multi-part --incrs 3 --timestamps
  aofkit generate -o hot.aof --skew zipf --mix set=8,del=1,flushall=1

Exit codes: 0 written; 2 failed.";

impl Generate {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let existing = self.replacing.existing();
        let report = common.noting_replaced(Some(&self.output), || {
            common.with_bar(|bar| generate::generate(&self.output, &self.options(), existing, bar))
        })?;
        common.print_report(&report, false, || report::generate::text(&report))?;
        Ok(Exit::after(&report))
    }

    /// Returns the options of the operation, which checks their combination.
    fn options(&self) -> generate::GenerateOptions {
        let amount = match (self.commands, self.size) {
            (Some(commands), _) => Amount::Commands(commands),
            (None, Some(bytes)) => Amount::Bytes(bytes),
            (None, None) => generate::GenerateOptions::default().amount,
        };
        generate::GenerateOptions {
            amount,
            seed: self.seed,
            mix: self.mix.clone(),
            keys: self.keys,
            skew: match self.skew {
                Skew::Uniform => generate::Skew::Uniform,
                Skew::Zipf => generate::Skew::Zipf,
            },
            value_bytes: self.values.clone(),
            databases: self.databases,
            transactions: self.transactions,
            lookalikes: self.lookalikes,
            timestamps: self.timestamps,
            commands_per_second: self.rate,
            layout: match self.layout {
                Files::Single => Layout::SingleFile,
                Files::MultiPart => Layout::MultiPart { incrs: self.incrs },
            },
        }
    }
}

/// Parses `SIZE`, or `SIZE..SIZE` with both ends included.
fn parse_sizes(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high) = (parse_size(low)?, parse_size(high)?);
    if low > high {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok(low..=high)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        generate: Generate,
    }

    fn options(line: &str) -> Result<generate::GenerateOptions, String> {
        let args = std::iter::once("generate").chain(line.split_whitespace());
        let line = Line::try_parse_from(args).map_err(|e| e.to_string())?;
        Ok(line.generate.options())
    }

    #[test]
    fn without_options_it_is_the_default_log() {
        assert_eq!(options("-o x"), Ok(generate::GenerateOptions::default()));
    }

    #[test]
    fn every_option_is_parsed() {
        let got = options(
            "-o x --commands 12 --seed 7 --mix set=2,del --keys 5 --skew zipf --values 1kb..2kb \
             --databases 3 --transactions 0.25 --lookalikes 0.5 --timestamps --rate 9 \
             --layout multi-part --incrs 2",
        );
        let expected = generate::GenerateOptions {
            amount: Amount::Commands(12),
            seed: 7,
            mix: "set=2,del=1".parse().unwrap(),
            keys: 5,
            skew: generate::Skew::Zipf,
            value_bytes: 1024..=2048,
            databases: 3,
            transactions: 0.25,
            lookalikes: 0.5,
            timestamps: Some(1_700_000_000),
            commands_per_second: 9,
            layout: Layout::MultiPart { incrs: 2 },
        };
        assert_eq!(got, Ok(expected));
        assert_eq!(options("-o x --size 1m").unwrap().amount, Amount::Bytes(1_000_000));
        assert_eq!(options("-o x --values 9").unwrap().value_bytes, 9..=9);
    }

    #[test]
    fn invalid_options_are_rejected() {
        for (line, expected) in [
            ("--size 1m", "--output"),
            ("-o x --size 1m --commands 3", "cannot be used with"),
            ("-o x --values 9..3", "ends before it begins"),
            ("-o x --mix get", "none of set"),
            ("-o x --rate 3", "--timestamps"),
        ] {
            let error = options(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
