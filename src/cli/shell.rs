//! `aofkit completions` and `aofkit man`.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::Exit;
use super::output::print_bytes;
use crate::base::error::{Error, Result};

/// Generate shell completions
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(super) struct Completions {
    /// The shell: bash, elvish, fish, powershell or zsh
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const COMPLETIONS: &str = "\
Examples:
  aofkit completions bash > /etc/bash_completion.d/aofkit
  aofkit completions zsh > ~/.zfunc/_aofkit
  aofkit completions fish > ~/.config/fish/completions/aofkit.fish";

/// Print the manual page, or write those of all subcommands to a directory
#[derive(Debug, Args)]
#[command(after_help = MAN)]
pub(super) struct Man {
    /// Write aofkit.1, aofkit-verify.1 and so on to this directory
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

const MAN: &str = "\
Examples:
  aofkit man | man -l -
  aofkit man --to /usr/local/share/man/man1";

impl Completions {
    pub(super) fn run(&self, mut command: Command) -> Result<Exit> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "aofkit", &mut text);
        print_bytes(&text)?;
        Ok(Exit::Done)
    }
}

impl Man {
    pub(super) fn run(&self, command: Command) -> Result<Exit> {
        if let Some(directory) = &self.to {
            clap_mangen::generate_to(command, directory)
                .map_err(|error| Error::io("write manual pages to", directory, error))?;
            return Ok(Exit::Done);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| Error::io("write the manual page to", "memory", error))?;
        print_bytes(&page)?;
        Ok(Exit::Done)
    }
}
