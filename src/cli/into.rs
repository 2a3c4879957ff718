//! The options of `--into`, with which a result is put into a running server.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::Common;
use super::connection::{LoginArgs, parse_secret};
use super::exit::Exit;
use super::parse::{parse_duration, parse_size};
use super::priority::give_way;
use crate::analysis::data_filter::Filter;
use crate::base::error::{Error, ErrorKind, Result};
use crate::live::endpoint::{Address, DEFAULT_PORT, Endpoint, Secret};
use crate::ops::into::{ExistingKeys, IntoOptions, IntoReport, ReadBack, SendRate};
use crate::ops::recover::Expired;
use crate::report;

pub(super) const INTO: &str = "Running server as the destination";

/// The options for putting keys into a running server.
#[derive(Debug, Args)]
pub(super) struct IntoArgs {
    /// Put the keys into this running server or cluster
    ///
    /// It goes on running, and keys that it has are not changed, unless --existing says otherwise. SERVER is
    /// host:port, a URI (redis, rediss, valkey, valkeys, unix) or the path of a socket.
    #[arg(long, value_name = "SERVER", value_parser = parse_secret, help_heading = INTO)]
    into: Option<Secret>,
    /// Keys that exist there: keep, replace, fail or union
    #[arg(long, value_name = "WHAT", default_value = "keep", hide_default_value = true, hide_possible_values = true, requires = "into", help_heading = INTO)]
    existing: ExistingArg,
    /// Send the keys of database A to database B; may be repeated
    #[arg(long, value_name = "A:B", value_parser = parse_map_db, requires = "into", hide_short_help = true, help_heading = INTO)]
    map_db: Vec<(u32, u32)>,
    /// Replace the prefix OLD of names by NEW; may be repeated
    #[arg(long, value_name = "OLD:NEW", value_parser = parse_rename, requires = "into", hide_short_help = true, help_heading = INTO)]
    rename_prefix: Vec<(String, String)>,
    /// Highest speed: 20mb (a second), 5000keys or unlimited [default: as the server's latency allows]
    #[arg(long, value_name = "RATE", value_parser = parse_rate, requires = "into", hide_short_help = true, help_heading = INTO)]
    rate: Option<SendRate>,
    /// Keys to read back and compare
    #[arg(id = "read_back", long = "check", value_name = "WHICH", default_value = "sampled", hide_default_value = true, requires = "into", hide_short_help = true, help_heading = INTO)]
    read_back: CheckArg,
    /// Send function libraries, too
    #[arg(long, requires = "into", hide_short_help = true, help_heading = INTO)]
    functions: bool,
    /// Time for which a lost connection or a busy server is retried
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, requires = "into", hide_short_help = true, help_heading = INTO)]
    retry_for: Duration,
}

/// What to do with keys that exist in the server.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExistingArg {
    /// Never change them
    Keep,
    /// Replace them
    Replace,
    /// Send nothing if one of the keys exists
    Fail,
    /// Add fields, members and later stream entries that they lack
    Union,
}

/// The keys to read back and compare.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CheckArg {
    /// The first 100,000 keys and one in a hundred of the others
    Sampled,
    /// Every key
    All,
    /// None
    None,
}

impl IntoArgs {
    /// Returns whether a running server is the destination.
    pub(super) fn is_given(&self) -> bool {
        self.into.is_some()
    }

    /// Returns the options; `None` if no server is given.
    pub(super) fn options(
        &self,
        login: &LoginArgs,
        filter: Filter,
        expired: Expired,
        dry_run: bool,
        common: &Common,
    ) -> Result<Option<IntoOptions>> {
        let Some(server) = &self.into else { return Ok(None) };
        let mut endpoints = [parse_server(server.reveal())?];
        login.log_in(&mut endpoints, &common.cancellation)?;
        let [endpoint] = endpoints;
        let bytes =
            |(old, new): &(String, String)| (old.clone().into_bytes(), new.clone().into_bytes());
        let rate = self.rate.unwrap_or_default();
        if matches!(rate, SendRate::Adaptive) {
            give_way();
        }
        Ok(Some(IntoOptions {
            existing: match self.existing {
                ExistingArg::Keep => ExistingKeys::Keep,
                ExistingArg::Replace => ExistingKeys::Replace,
                ExistingArg::Fail => ExistingKeys::Fail,
                ExistingArg::Union => ExistingKeys::Union,
            },
            expired,
            filter,
            map_db: self.map_db.clone(),
            rename_prefix: self.rename_prefix.iter().map(bytes).collect(),
            rate,
            read_back: match self.read_back {
                CheckArg::Sampled => ReadBack::Sampled,
                CheckArg::All => ReadBack::All,
                CheckArg::None => ReadBack::None,
            },
            functions: self.functions,
            dry_run,
            retry_for: self.retry_for,
            ..IntoOptions::new(endpoint)
        }))
    }
}

/// Prints the report on keys that were put into a server.
pub(super) fn print(report: &IntoReport, common: &Common) -> Result<Exit> {
    let matters = !report.is_complete();
    common.print_report(report, matters, || report::into::text(report))?;
    Ok(Exit::after(report))
}

/// Parses the address of a server: a URI, `host:port`, or the path of a socket.
pub(super) fn parse_server(text: &str) -> Result<Endpoint> {
    if text.contains("://") {
        return Endpoint::from_uri(text);
    }
    if text.contains('/') {
        return Ok(Endpoint::new(Address::Unix(text.into())));
    }
    let wrong = || {
        Error::new(ErrorKind::Usage, "this names no server").help(
            "write it as host:6379, redis://user@host:6379, rediss:// for TLS, or /path/to/socket",
        )
    };
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address without brackets has no port.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, DEFAULT_PORT),
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (text, DEFAULT_PORT),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // A password typed where none belongs is not repeated.
    if host.is_empty() || host.contains('@') {
        return Err(wrong());
    }
    Ok(Endpoint::new(Address::Tcp { host: host.to_owned(), port }))
}

fn parse_map_db(text: &str) -> Result<(u32, u32), String> {
    let parsed =
        text.split_once(':').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    parsed.ok_or_else(|| format!("cannot read `{text}` as a pair of databases; use 0:3"))
}

fn parse_rename(text: &str) -> Result<(String, String), String> {
    let parsed = text.split_once(':').filter(|(old, _)| !old.is_empty());
    // Prefixes end with a colon so often that `old::new:` has to be read as one would.
    let parsed = match parsed {
        Some((old, new)) if new.starts_with(':') => Some((format!("{old}:"), new[1..].to_owned())),
        Some((old, new)) => Some((old.to_owned(), new.to_owned())),
        None => None,
    };
    parsed.ok_or_else(|| format!("cannot read `{text}` as a pair of prefixes; use old:new"))
}

fn parse_rate(text: &str) -> Result<SendRate, String> {
    let wrong = || format!("cannot read `{text}` as a rate; use 20mb, 5000keys or unlimited");
    if text == "unlimited" {
        return Ok(SendRate::Unlimited);
    }
    if let Some(keys) = text.strip_suffix("keys") {
        let keys = keys.trim().parse().ok().filter(|keys| *keys > 0);
        return keys.map(SendRate::Keys).ok_or_else(wrong);
    }
    let bytes = parse_size(text).ok().filter(|bytes| *bytes > 0);
    bytes.map(SendRate::Bytes).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_parsed_in_every_form() {
        let read = |text: &str| parse_server(text).map(|endpoint| endpoint.address);
        let tcp = |host: &str, port| Address::Tcp { host: host.into(), port };
        for (text, address) in [
            ("127.0.0.1:7000", tcp("127.0.0.1", 7000)),
            ("db", tcp("db", 6379)),
            ("[::1]:7000", tcp("::1", 7000)),
            ("::1", tcp("::1", 6379)),
            ("redis://db:7000/0", tcp("db", 7000)),
            ("valkeys://db", tcp("db", 6379)),
            ("/run/redis.sock", Address::Unix("/run/redis.sock".into())),
            ("./redis.sock", Address::Unix("./redis.sock".into())),
            ("unix:///run/redis.sock", Address::Unix("/run/redis.sock".into())),
        ] {
            assert_eq!(read(text).expect(text), address, "{text}");
        }
        for text in ["", ":7000", "db:x", "db:70000", "user:geheim@db:6379", "http://db"] {
            let error = read(text).expect_err(text);
            assert!(!format!("{error} {:?}", error.next_step()).contains("geheim"));
        }
    }

    #[test]
    fn rates_pairs_and_prefixes_are_parsed() {
        assert_eq!(parse_rate("20mb"), Ok(SendRate::Bytes(20 << 20)));
        assert_eq!(parse_rate("5000keys"), Ok(SendRate::Keys(5000)));
        assert_eq!(parse_rate("unlimited"), Ok(SendRate::Unlimited));
        assert!(parse_rate("0").is_err() && parse_rate("keys").is_err());
        assert_eq!(parse_map_db("0:3"), Ok((0, 3)));
        assert!(parse_map_db("0").is_err() && parse_map_db("-1:0").is_err());
        let pair = |old: &str, new: &str| Ok((old.to_owned(), new.to_owned()));
        assert_eq!(parse_rename("a:b"), pair("a", "b"));
        assert_eq!(parse_rename("a::b:"), pair("a:", "b:"));
        assert!(parse_rename(":b").is_err());
    }
}
