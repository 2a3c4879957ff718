//! Tests against real servers.
//!
//! The tests are one program without the standard harness, so that a test whose server is not installed can be reported
//! as ignored, with the reason. Each module returns its trials from `trials()`.

mod support;

mod servers {
    pub(crate) mod apply;
    pub(crate) mod commands;
    pub(crate) mod compact;
    pub(crate) mod damage;
    pub(crate) mod deep_checks;
    pub(crate) mod diff;
    pub(crate) mod diff_live;
    pub(crate) mod docs;
    pub(crate) mod drill;
    pub(crate) mod generate;
    pub(crate) mod get;
    pub(crate) mod into;
    pub(crate) mod keyspace_rdb;
    pub(crate) mod live;
    pub(crate) mod loader;
    pub(crate) mod losses;
    pub(crate) mod lua;
    pub(crate) mod matrix;
    pub(crate) mod pairs;
    pub(crate) mod rdb;
    pub(crate) mod rdb_errors;
    pub(crate) mod recover;
    pub(crate) mod repair_forms;
    pub(crate) mod repair_set;
    pub(crate) mod repair_spans;
    pub(crate) mod restore;
    pub(crate) mod rewrite;
    pub(crate) mod sets;
    pub(crate) mod shells;
    pub(crate) mod stats_load;
    pub(crate) mod stats_memory;
    pub(crate) mod stats_parquet;
    pub(crate) mod steps;
    pub(crate) mod table;
    pub(crate) mod verdicts;
}

fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    let trials = [
        servers::apply::trials(),
        servers::commands::trials(),
        servers::compact::trials(),
        servers::damage::trials(),
        servers::deep_checks::trials(),
        servers::diff::trials(),
        servers::diff_live::trials(),
        servers::docs::trials(),
        servers::drill::trials(),
        servers::generate::trials(),
        servers::get::trials(),
        servers::into::trials(),
        servers::keyspace_rdb::trials(),
        servers::live::trials(),
        servers::loader::trials(),
        servers::losses::trials(),
        servers::lua::trials(),
        servers::matrix::trials(),
        servers::pairs::trials(),
        servers::rdb::trials(),
        servers::rdb_errors::trials(),
        servers::repair_forms::trials(),
        servers::restore::trials(),
        servers::recover::trials(),
        servers::repair_set::trials(),
        servers::repair_spans::trials(),
        servers::rewrite::trials(),
        servers::sets::trials(),
        servers::shells::trials(),
        servers::stats_load::trials(),
        servers::stats_memory::trials(),
        servers::stats_parquet::trials(),
        servers::steps::trials(),
        servers::table::trials(),
        servers::verdicts::trials(),
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit();
}
