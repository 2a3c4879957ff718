//! The commands of the documents that need a running server, typed as they are printed.

use aofkit::base::server::redis;
use libtest_mimic::Trial;

use crate::support::documents::{Sandbox, blocks, documents};
use crate::support::{Binary, Running, free_port, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&[redis(7, 0)], "docs::commands_for_a_server_work_as_printed", run_blocks)
}

fn run_blocks(binary: &Binary) {
    let (mut run, mut failed) = (0, Vec::new());
    for document in documents() {
        for block in blocks(&document).into_iter().filter(|block| block.needs_server) {
            let mut sandbox = Sandbox::new();
            let port = free_port();
            sandbox.port = Some(port);
            let config = [("appendonly", "yes"), ("port", &port.to_string())];
            let data = sandbox.path("var/lib/redis");
            let _server = Running::start(binary, &data, &config).expect("it starts");
            if let Err(what) = sandbox.run(&block) {
                failed.push(format!("{document}, line {}: {what}", block.line));
            }
            run += 1;
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(run > 4, "{run} blocks");
}
