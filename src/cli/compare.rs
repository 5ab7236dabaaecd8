//! `oncelab compare`: in what two runs of an experiment differ.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{UsageError, output};
use crate::exit;
use crate::report::{Comparison, compare, different, incomparable, to_text};
use crate::results::{RunFolder, Summary};
use crate::strategy::Registry;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The folder of the first run (before)
    before: PathBuf,
    /// The folder of the second run (after)
    after: PathBuf,
    /// Report a difference of speed only if it is shown to be larger than this share
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    least: f64,
    /// Exit with 1 also if a strategy became slower
    #[arg(long)]
    fail_on_regression: bool,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

impl Compare {
    /// Compares the runs.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        if !(0.0..1.0).contains(&self.least) {
            return Err(UsageError(format!("--least {}: a share from 0 to below 1, e.g. 0.05", self.least)).into());
        }
        let open = |path: &PathBuf| -> anyhow::Result<(RunFolder, Summary)> {
            let folder = RunFolder::open(path, registry)?;
            let dir = path.display().to_string();
            let summary = Summary::new(dir, &folder.meta, &folder.experiment, folder.rows(), registry)?;
            Ok((folder, summary))
        };
        let (before, after) = (open(&self.before)?, open(&self.after)?);
        if let Some(key) = different(&before.0.experiment, &after.0.experiment) {
            return Err(UsageError(format!(
                "these are runs of different experiments ({key}): compare runs that differ only in time, machine, seed or build"
            ))
            .into());
        }
        if let Some(why) = incomparable(&before.0.meta, &after.0.meta) {
            return Err(UsageError(why).into());
        }
        let comparison = compare((&before.0, &before.1), (&after.0, &after.1), self.least);
        output::print(&if self.json {
            serde_json::to_string_pretty(&comparison)? + "\n"
        } else {
            as_text(&comparison)
        })?;
        Ok(ExitCode::from(self.code(&comparison)))
    }

    /// Violations decide; speed only if that is asked for.
    fn code(&self, comparison: &Comparison) -> u8 {
        if comparison.broken || (self.fail_on_regression && comparison.slower) {
            exit::BROKEN
        } else if comparison.rows.is_empty() {
            exit::INCONCLUSIVE
        } else {
            exit::MET
        }
    }
}

fn as_text(comparison: &Comparison) -> String {
    let mut out = format!("\nbefore: {}\nafter:  {}\n", comparison.before, comparison.after);
    for warning in &comparison.warnings {
        out.push_str(&format!("{}\n", output::wrap(&format!("warning: {warning}"))));
    }
    out.push_str(&format!("\n{}\n", to_text(&comparison.table(), 80)));
    for line in comparison.legend() {
        out.push_str(&format!("{}\n", output::wrap(&line)));
    }
    out
}
