//! `oncelab completions`: what a shell needs to complete the command line.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use super::output;
use crate::exit;

#[derive(Debug, Args)]
pub(super) struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints the completions of a command line.
    pub fn execute(&self, mut of: Command) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut of, "oncelab", &mut script);
        output::print(&String::from_utf8_lossy(&script))?;
        Ok(ExitCode::from(exit::MET))
    }
}
