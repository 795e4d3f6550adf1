//! The command line of Shakedown. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shakedown::cli::main()
}
