//! The `relight` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    relight::cli::main()
}
