//! The command line of Oncelab: parse, dispatch, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    oncelab::cli::main()
}
