//! `oncelab merge`: one run of the shards of many machines.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{output, run};
use crate::lab::{self, Ending};
use crate::quote::shell_path;
use crate::strategy::Registry;

#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The folder of the merged run, which must not be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The shards: folders of runs that were made with --shard, or folders below which they lie
    #[arg(required = true, value_name = "SHARD")]
    shards: Vec<PathBuf>,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

impl Merge {
    /// Merges the shards, and prints the run.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let (folder, derived) = lab::merge(&self.out, &self.shards, registry)?;
        let origins = &folder.meta.shards;
        let without: Vec<String> =
            origins.iter().filter(|origin| !origin.histories).map(|origin| origin.shard.number().to_string()).collect();
        output::tell(&format!("merged {} shards with {} trials", origins.len(), folder.rows().len()));
        if !without.is_empty() {
            output::tell(&format!(
                "shard {}: without histories, so `oncelab check {}` cannot judge the trials again",
                without.join(", "),
                shell_path(folder.path())
            ));
        }
        if !folder.meta.is_of_this_build() {
            output::tell("the shards were made by another build of oncelab; summary and reports were made by this one");
        }
        if self.json {
            output::print(&(serde_json::to_string_pretty(&derived.summary)? + "\n"))?;
        } else {
            output::print(&output::run_as_text(&derived.shown(&folder)))?;
        }
        Ok(ExitCode::from(run::code(&derived.summary, Ending::Complete)))
    }
}
