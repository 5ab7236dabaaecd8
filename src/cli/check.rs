//! `oncelab check`: judges the saved histories of a run again, and compares with what the run said.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::output;
use crate::check::{Case, Tally, findings};
use crate::exit;
use crate::results::{FileError, RunFolder, TrialRow};
use crate::strategy::{Registry, UnknownStrategy};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The folder of a run
    dir: PathBuf,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Checked {
    dir: String,
    trials: usize,
    agree: usize,
    events: u64,
    disagreements: Vec<Disagreement>,
}

#[derive(Serialize)]
struct Disagreement {
    trial: String,
    what: String,
}

impl Check {
    /// Judges every trial again.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let folder = RunFolder::open(&self.dir, registry)?;
        let mut checked = Checked {
            dir: self.dir.display().to_string(),
            trials: folder.rows().len(),
            agree: 0,
            events: 0,
            disagreements: Vec::new(),
        };
        for row in folder.rows() {
            match judge_again(&folder, row, registry) {
                Ok(events) => {
                    checked.agree += 1;
                    checked.events += events;
                }
                Err(mismatch) => {
                    let what = mismatch.to_string();
                    checked.disagreements.push(Disagreement { trial: row.trial.clone(), what });
                }
            }
        }
        if self.json {
            output::print(&(serde_json::to_string_pretty(&checked)? + "\n"))?;
        } else {
            output::print(&as_text(&checked))?;
        }
        Ok(ExitCode::from(if checked.disagreements.is_empty() { exit::MET } else { exit::BROKEN }))
    }
}

fn as_text(checked: &Checked) -> String {
    let Checked { trials, agree, events, .. } = checked;
    let mut out: String = checked.disagreements.iter().map(|d| format!("{}: {}\n", d.trial, d.what)).collect();
    out.push_str(&format!("{agree} of {trials} trials judged again ({events} events) agree with the run\n"));
    out
}

/// In what a trial's history disagrees with its row.
#[derive(Debug, thiserror::Error)]
enum Mismatch {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Strategy(#[from] UnknownStrategy),
    #[error("the verdict differs: {0}")]
    Verdict(String),
    #[error("the history was changed since the run: its digest differs, though the verdict does not")]
    Digest,
}

/// The number of events judged.
fn judge_again(folder: &RunFolder, row: &TrialRow, registry: &Registry) -> Result<u64, Mismatch> {
    let saved = folder.history(&row.trial)?;
    let strategy = registry.get(&row.cell.strategy)?;
    let case = Case::new(saved.evidence(strategy.claim(folder.meta.store_kind()).retries));
    let tally = Tally::new(&case, &findings(&case));
    if tally != row.tally {
        return Err(Mismatch::Verdict(difference(&row.tally, &tally)));
    }
    if saved.digest != row.history_sha256 {
        return Err(Mismatch::Digest);
    }
    Ok(tally.events)
}

/// The first count that differs.
fn difference(run: &Tally, now: &Tally) -> String {
    for kind in crate::check::Violation::ALL {
        let (then, now) = (run.count(kind), now.count(kind));
        if then != now {
            return format!("the run counted {then} {kind}, its history shows {now}");
        }
    }
    let counts = [
        ("acknowledged requests", run.acknowledged, now.acknowledged),
        ("effects", run.effects, now.effects),
        ("events", run.events, now.events),
        ("faults", run.fired.total(), now.fired.total()),
    ];
    let found = counts.into_iter().find(|(_, then, now)| then != now);
    found.map_or_else(
        || "the causes of violations, or other counts, differ".to_owned(),
        |(what, then, now)| format!("the run counted {then} {what}, its history shows {now}"),
    )
}
