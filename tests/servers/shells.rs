//! The generated completions, tried in zsh and fish themselves. Bash is in tests/cli/shell.rs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use crate::support::{Run, aofkit, temp_dir, with_program};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        with_program("zsh", "shells::zsh_completes_values_subcommands_and_directories", zsh),
        with_program("fish", "shells::fish_completes_values_subcommands_and_directories", fish),
    ]
}

/// What is typed, and the last word of it when it is completed. There is a directory and a file that begin with `da`.
const CASES: [(&str, &str); 6] = [
    ("aofkit verify --for redis-5", "redis-5.0"),
    ("aofkit convert --format multipart-", "multipart-aof"),
    ("aofkit recover --merge n", "newer"),
    ("aofkit ver", "verify"),
    ("aofkit backup --to da", "data"),
    ("aofkit verify dat.", "dat.aof"),
];

/// Returns a directory with the program, its completions in the file `name`, and something to complete.
fn place(shell: &str, name: &str) -> tempfile::TempDir {
    let place = temp_dir();
    let path = |name: &str| place.path().join(name);
    let run = Run::of(aofkit().args(["completions", shell]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    fs::write(path(name), run.stdout).expect("the completions");
    symlink(env!("CARGO_BIN_EXE_aofkit"), path("aofkit")).expect("a link");
    fs::create_dir(path("data")).expect("a directory");
    fs::write(path("dat.aof"), "").expect("a file");
    place
}

/// Types each line and a tab at a terminal, and prints what the line is then.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; PS2=; unsetopt beep; fpath=($PWD $fpath); path=($PWD $path)'
zpty -w z 'autoload -U compinit; compinit -u -D; bindkey "^I" complete-word; print RE""ADY'
zpty -r z out '*READY*'
for line in "$@"; do
  zpty -w -n z "$line"$'\t\x01print -r -- "<\x05>"\n'
  zpty -r z out $'*\n<*>*'
  print -r -- "$out"
done
zpty -d z
"#;

fn zsh(program: &Path) {
    let place = place("zsh", "_aofkit");
    let mut zsh = Command::new("timeout");
    zsh.arg("120").arg(program).args(["-f", "-c", ZSH, "zsh"]);
    zsh.args(CASES.map(|(line, _)| line)).current_dir(place.path());
    let run = Run::of(&mut zsh);
    let completed: Vec<&str> = run
        .stdout
        .lines()
        .filter_map(|line| line.trim_end().strip_prefix('<')?.strip_suffix('>'))
        .map(|line| line.split(' ').next_back().unwrap_or_default())
        .collect();
    assert_eq!(completed, CASES.map(|(_, word)| word), "{run:#?}");
}

fn fish(program: &Path) {
    let place = place("fish", "aofkit.fish");
    let script = "set -x PATH $PWD $PATH; source aofkit.fish; for line in $argv; complete -C $line; echo ===; end";
    let mut fish = Command::new(program);
    fish.args(["--no-config", "-c", script]).args(CASES.map(|(line, _)| line));
    fish.current_dir(place.path()).env("HOME", place.path());
    let run = Run::of(&mut fish);
    // One candidate a line, before a tab and its description.
    let words = |answer: &str| -> Vec<String> {
        let words = answer.lines().map(|line| line.split('\t').next().unwrap_or_default());
        words.map(|word| word.trim_end_matches('/').to_owned()).collect()
    };
    let found: Vec<Vec<String>> = run.stdout.split("===\n").map(words).collect();
    let expected = CASES.map(|(_, word)| vec![word.to_owned()]);
    assert_eq!(found[..CASES.len().min(found.len())], expected, "{run:#?}");
}
