//! The `aofkit` binary: see `aofkit::cli`.

fn main() -> aofkit::cli::Exit {
    aofkit::cli::main()
}
