//! Verifies a log and prints the damage, if there is any: `cargo run --example verify_file -- appendonly.aof`.

#![allow(clippy::print_stdout)]

use aofkit::{LogOutcome, Silent, VerifyOptions, verify_path};

fn main() -> aofkit::Result<()> {
    let path = std::env::args_os().nth(1).expect("usage: verify_file PATH");
    match verify_path(path.as_ref(), &VerifyOptions::default(), &Silent)? {
        LogOutcome::Read(log) if log.sound => println!("valid, {} commands", log.commands),
        LogOutcome::Read(log) => {
            for finding in &log.findings {
                println!("{}", finding.message);
            }
        }
        other => println!("{}", serde_json::to_string(&other).expect("reports serialise")),
    }
    Ok(())
}
