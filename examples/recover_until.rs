//! Writes the commands of a log up to a byte offset: `cargo run --example recover_until -- appendonly.aof 1234 new.aof`.

#![allow(clippy::print_stdout)]

use aofkit::options::{Choice, Output, Position};
use aofkit::{RecoverOptions, Silent, recover};

fn main() -> aofkit::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [log, offset, new] = args.as_slice() else { panic!("usage: recover_until LOG OFFSET NEW") };
    let offset = offset.parse().expect("an offset in bytes");
    let until = Choice::Until(Position::Byte { part: "1".to_owned(), offset });
    let options = RecoverOptions::new(until, Output::New(new.into()));
    let report = recover(log.as_ref(), &options, &Silent)?;
    println!(
        "retained {:?} of {} bytes",
        report.done.and_then(|done| done.plan.kept_bytes),
        report.bytes
    );
    Ok(())
}
