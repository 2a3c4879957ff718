//! What `aofkit` prints without arguments, and the grouped list of subcommands of `aofkit --help`.

use crate::report::lines::COLUMNS;
use crate::report::style::wrap;

/// The jobs, each with its first command. It fits a terminal of 24 lines.
pub(super) const JOBS: &str = "\
aofkit: the append-only files and RDBs of Redis and Valkey

Keys are gone (FLUSHALL, FLUSHDB, deletions): secure the log, then recover them
  aofkit recover --hold -p 6379
The server does not start: see what is damaged, and what a repair would remove
  aofkit repair /var/lib/redis --dry-run
Is this log, RDB or backup whole, and which servers load it?
  aofkit verify /var/lib/redis
Back up a running server, and keep the last seven days
  aofkit backup --live -p 6379 --to /backup --keep-daily 7
Put the keys of a backup into a running server
  aofkit restore /backup/redis.zip --into 127.0.0.1:6379

What endangers the data of this server:  aofkit doctor -p 6379
Options and examples of a subcommand:    aofkit recover --help
All subcommands:                         aofkit --help
";

/// The groups of subcommands. What is in none of them is listed last.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Recover and repair", &["recover", "strip-flushall", "repair", "check-aof"]),
    ("Inspect", &["verify", "stats", "log", "history", "get", "digest", "diff"]),
    ("Back up", &["backup", "list", "find", "prune", "restore", "drill", "compress", "extract"]),
    ("Transform", &["compact", "convert", "merge"]),
    ("Maintain", &["doctor", "clean"]),
    ("Measure", &["generate", "bench"]),
    ("Shells and manuals", &["completions", "man"]),
];

/// Returns the command whose subcommands list their exit codes only in the long help.
pub(super) fn with_short_help(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|subcommand| {
        let text = subcommand.get_after_help().map(|text| text.ansi().to_string());
        match text.as_deref().and_then(|text| text.split_once("\n\nExit codes:")) {
            Some((examples, _)) if subcommand.get_after_long_help().is_none() => {
                let (short, long) = (examples.to_owned(), text.clone().unwrap_or_default());
                subcommand.after_help(short).after_long_help(long)
            }
            _ => subcommand,
        }
    })
}

/// Returns the command whose help lists the subcommands by group.
pub(super) fn with_groups(command: clap::Command) -> clap::Command {
    let groups = groups(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\nOptions:\n{{options}}{{after-help}}"
    ))
}

fn groups(command: &clap::Command) -> String {
    let listed = || command.get_subcommands().filter(|it| !it.is_hide_set());
    let names = listed().map(|it| it.get_name().len()).max().unwrap_or_default();
    let line = |it: &clap::Command| {
        let about = it.get_about().map(ToString::to_string).unwrap_or_default();
        let indent = names + 4;
        format!("  {:names$}  {}\n", it.get_name(), wrap(&about, COLUMNS - indent, indent))
    };
    let mut text = String::new();
    let is_grouped =
        |it: &clap::Command| GROUPS.iter().any(|(_, names)| names.contains(&it.get_name()));
    for (title, names) in GROUPS {
        let found = names.iter().filter_map(|name| listed().find(|it| it.get_name() == *name));
        let lines: String = found.map(line).collect();
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}:\n{lines}"));
        }
    }
    let others: String = listed().filter(|it| !is_grouped(it)).map(line).collect();
    if others.is_empty() { text } else { format!("{text}\nOther:\n{others}") }
}
