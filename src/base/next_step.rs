//! Steps that a person takes after an operation: typed, so that they can be printed, serialised and executed.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::escape::{ShownPath, typed};

/// A step to take after an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextStep {
    /// What the step does, and why.
    pub why: String,
    /// Whether the step is one of several to choose from, rather than one of a sequence.
    pub alternative: bool,
    /// The actions, in order; empty if `why` says all.
    pub actions: Vec<Action>,
}

/// An action of a [`NextStep`]. Displayed, it is a line to type or to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Action {
    /// Run a program.
    Run {
        /// The name of the program, which is looked up on the PATH.
        program: String,
        /// Its arguments, not quoted.
        args: Vec<String>,
    },
    /// Stop the server, by running a client or its supervisor.
    StopServer {
        /// The name of the program, which is looked up on the PATH.
        program: String,
        /// Its arguments, not quoted.
        args: Vec<String>,
    },
    /// Start the server, by running its supervisor.
    StartServer {
        /// The name of the program, which is looked up on the PATH.
        program: String,
        /// Its arguments, not quoted.
        args: Vec<String>,
    },
    /// Put a setting into the configuration of the server.
    Configure {
        /// The name of the setting.
        setting: String,
        /// Its value, not quoted.
        value: String,
    },
    /// Check that a line of the output of the action before begins with this text.
    Expect {
        /// The text.
        output: String,
    },
}

impl NextStep {
    /// Returns a step of a sequence.
    pub fn new(why: impl Into<String>, actions: impl Into<Vec<Action>>) -> Self {
        NextStep { why: why.into(), alternative: false, actions: actions.into() }
    }

    /// Returns a step that is one of several to choose from.
    pub fn alternative(why: impl Into<String>, actions: impl Into<Vec<Action>>) -> Self {
        NextStep { alternative: true, ..NextStep::new(why, actions) }
    }
}

impl Action {
    /// Returns the action of running `program`.
    pub fn run<A: Into<String>>(program: &str, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Action::Run { program: program.to_owned(), args }
    }

    /// Returns the action of stopping the server by running `program`.
    pub(crate) fn stop<A: Into<String>>(program: &str, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Action::StopServer { program: program.to_owned(), args }
    }

    /// Returns the action of starting the server by running `program`.
    pub(crate) fn start<A: Into<String>>(program: &str, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Action::StartServer { program: program.to_owned(), args }
    }

    /// Returns the action of running this program.
    pub fn aofkit<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Self {
        Action::run("aofkit", args)
    }

    /// Returns the action of setting `setting` to `value`.
    pub fn configure(setting: &str, value: impl Into<String>) -> Self {
        Action::Configure { setting: setting.to_owned(), value: value.into() }
    }
}

/// Returns a path as an argument that no program takes for an option. Bytes that are not UTF-8 are replaced.
pub fn path_arg(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.starts_with('-') { format!("./{text}") } else { text.into_owned() }
}

impl fmt::Display for Action {
    /// Commands are quoted for a POSIX shell, and values as in the configuration of a server. Characters that steer a
    /// terminal are escaped, so that a command with one fails.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Run { program, args }
            | Action::StopServer { program, args }
            | Action::StartServer { program, args } => {
                f.write_str(&typed(program.as_ref()))?;
                args.iter().try_for_each(|arg| write!(f, " {}", typed(arg.as_ref())))
            }
            Action::Configure { setting, value } if is_plain(setting, value) => {
                write!(f, "{setting} {value}")
            }
            Action::Configure { setting, value } => {
                let value = value.replace('\\', r"\\").replace('"', r#"\""#);
                write!(f, "{setting} \"{}\"", ShownPath(value.as_ref()))
            }
            Action::Expect { output } => write!(f, "  {output},..."),
        }
    }
}

/// Returns whether a value needs no quotes: `yes`, `no`, or the two names of a renamed command.
fn is_plain(setting: &str, value: &str) -> bool {
    let is_part_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b" _-.".contains(&byte);
    ["yes", "no"].contains(&value)
        || setting == "rename-command" && value.bytes().all(is_part_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_quoted_for_a_shell() {
        let run = |args: &[&str]| Action::aofkit(args.iter().copied()).to_string();
        assert_eq!(
            run(&["recover", "/data/a.aof", "--until", "#5"]),
            "aofkit recover /data/a.aof --until '#5'"
        );
        assert_eq!(run(&["it's", "", "$HOME", "*"]), r"aofkit 'it'\''s' '' '$HOME' '*'");
        assert_eq!(run(&["a\u{1b}[2J\n"]), r"aofkit 'a\u{1b}[2J\n'");
        assert_eq!(path_arg(Path::new("-n")), "./-n");
    }

    #[test]
    fn quoted_command_has_its_arguments_back_in_a_shell() {
        let args = ["it's", "", "$HOME", "*", "a b", "`id`", "\\", "\"", "~", "#", "a;b", "é"];
        let line = Action::run("printf", ["%s\\0"].into_iter().chain(args)).to_string();
        let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        let expected: String = args.iter().map(|arg| format!("{arg}\0")).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }

    #[test]
    fn setting_is_written_as_in_a_configuration() {
        assert_eq!(Action::configure("appendonly", "yes").to_string(), "appendonly yes");
        let name = Action::configure("appendfilename", r#"a "b\c".aof"#);
        assert_eq!(name.to_string(), r#"appendfilename "a \"b\\c\".aof""#);
        let renamed = Action::configure("rename-command", "FLUSHALL WIPE_9F");
        assert_eq!(renamed.to_string(), "rename-command FLUSHALL WIPE_9F");
    }
}
