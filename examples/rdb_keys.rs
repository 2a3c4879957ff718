//! Prints every key of an RDB: `cargo run --example rdb_keys -- dump.rdb`.

#![allow(clippy::print_stdout)]

use aofkit::{Silent, rdb_keys};

fn main() -> aofkit::Result<()> {
    let path = std::env::args_os().nth(1).expect("usage: rdb_keys PATH");
    let summary = rdb_keys(path, &Silent, |key| {
        println!("{} {} {:?}", key.db, key.name.escape_ascii(), key.kind);
        Ok(())
    })?;
    println!("{} keys", summary.keys);
    Ok(())
}
