//! `oncelab report`: shows a run in one of several forms. A pure function of the run's folder.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Format, lifts, output};
use crate::exit;
use crate::report;
use crate::results::{RunFolder, Summary};
use crate::strategy::Registry;

#[derive(Debug, Args)]
pub(super) struct Report {
    /// The folder of a run
    dir: PathBuf,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl Report {
    /// Prints the report.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let folder = RunFolder::open(&self.dir, registry)?;
        let dir = self.dir.display().to_string();
        let summary = Summary::new(dir, &folder.meta, &folder.experiment, folder.rows(), registry)?;
        output::print(&match if self.json { Format::Json } else { self.format } {
            Format::Text => {
                let lifts = lifts::shortened(&folder, &summary, registry);
                output::run_as_text(&summary, &folder.experiment, &folder.meta, &lifts)
            }
            Format::Md => {
                let lifts = lifts::shortened(&folder, &summary, registry);
                report::document(&summary, &folder.experiment, &folder.meta, &lifts)
            }
            Format::Csv => report::to_csv(&summary),
            Format::Json => serde_json::to_string_pretty(&summary)? + "\n",
        })?;
        Ok(ExitCode::from(exit::MET))
    }
}
