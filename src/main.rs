//! The `aofkit` binary: see `aofkit::cli`.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
