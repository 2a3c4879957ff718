//! Shared by the tests against real servers and by `benches/live_backup_impact.rs`.
//!
//! A trial names the release lines it needs. If one of them is not installed, the trial is reported as ignored, with
//! the reason. With `AOFKIT_REQUIRE_SERVERS=1` it fails instead, so that CI cannot skip trials silently.

mod binaries;
#[allow(dead_code)] // Only for servers with TLS.
mod certificates;
mod client;
#[allow(dead_code)] // Some of its functions are for other trials.
mod cluster;
mod data_dir;
pub(crate) mod differential;
#[allow(dead_code)] // Some of its functions are for tests without servers.
pub(crate) mod documents;
#[allow(dead_code)] // One of its functions is only for tests without servers.
pub(crate) mod json_docs;
mod log;
mod process;
mod program;
mod random;
mod setup;
mod trials;
mod verdict;
mod wait;

pub(crate) use binaries::{Binary, FAMILIES, LINES, find};
pub(crate) use certificates::{Certificates, SERVER_NAME};
pub(crate) use client::{Client, Reply};
pub(crate) use cluster::{Cluster, Replica};
pub(crate) use data_dir::{copy_dir, lay_out, lay_out_base};
pub(crate) use log::{Args, args, command, log};
pub(crate) use process::{Ended, Running, ended_in_a_crash};
pub(crate) use program::{Run, UnderWay, aofkit, send_signal};
pub(crate) use random::Random;
pub(crate) use setup::{Setup, free_port, setting, temp_dir};
pub(crate) use trials::{
    Body, ignored, on_all, on_each, with_installed, with_program, with_program_on_each,
};
pub(crate) use verdict::{Verdict, load_verdict, load_verdict_in_place, verdict_on};
pub(crate) use wait::wait_until;
