//! `oncelab check`: judges the saved histories of a run again, and holds everything in its folder against the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::output;
use super::proof::{self, Certificate};
use super::stale;
use crate::exit;
use crate::lab::{Audit, Disagreement, audit};
use crate::quote::shell_path;
use crate::results::RunFolder;
use crate::strategy::Registry;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The folder of a run; or the certificate of a proof (`oncelab explore --lanes any --certificate`), or a folder of certificates
    dir: PathBuf,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    json: bool,
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Checked {
    dir: String,
    /// How many trials the experiment and the run's seed plan.
    planned: usize,
    /// How many rows there are.
    trials: usize,
    /// How many histories were judged again.
    judged: usize,
    /// How many rows nothing contradicts.
    agree: usize,
    events: u64,
    disagreements: Vec<Disagreement>,
    /// The planned trials that the run has not come to.
    missing: Vec<String>,
    /// The trials that failed, each with the reason.
    failed: BTreeMap<String, String>,
    /// What could not be judged, and why.
    not_judged: Vec<String>,
    /// Why no history was judged, and how to have histories; none if there are some.
    no_histories: Option<String>,
}

impl Check {
    /// Judges every trial again, and holds the files against each other.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        if let Some(certificates) = proof::at(&self.dir) {
            return self.check_proofs(&certificates, registry);
        }
        let folder = RunFolder::open(&self.dir, registry)?;
        let mut audit = audit(&folder, registry)?;
        stale::hold(&folder, registry, &mut audit)?;
        let agree = audit.agree(&folder);
        let Audit { planned, events, judged, disagreements, missing, failed, not_judged } = audit;
        let checked = Checked {
            dir: self.dir.display().to_string(),
            planned,
            trials: folder.rows().len(),
            judged,
            agree,
            events,
            disagreements,
            missing,
            failed,
            not_judged: not_judged.into_iter().collect(),
            no_histories: folder.require_histories().err().map(|why| why.to_string()),
        };
        if self.json {
            output::print(&(serde_json::to_string_pretty(&checked)? + "\n"))?;
        } else {
            output::print(&as_text(&checked))?;
        }
        Ok(ExitCode::from(match (checked.disagreements.as_slice(), &checked.no_histories) {
            ([_, ..], _) => exit::BROKEN,
            ([], Some(_)) => exit::USAGE,
            ([], None) => exit::MET,
        }))
    }
}

/// What `check --json` prints of a certificate.
#[derive(Serialize)]
struct CheckedProof {
    file: String,
    strategy: String,
    rules_out: Vec<String>,
    views: usize,
    took_ms: f64,
    /// What is wrong with it; none if it proves what it says.
    wrong: Option<String>,
}

impl Check {
    /// Checks certificates. Nothing is searched for.
    fn check_proofs(&self, files: &[PathBuf], registry: &Registry) -> anyhow::Result<ExitCode> {
        let mut checked = Vec::new();
        for file in files {
            let began = Instant::now();
            let certificate = Certificate::read(file)?;
            let wrong = certificate.check(registry)?.err().map(|wrong| wrong.to_string());
            let took_ms = began.elapsed().as_secs_f64() * 1e3;
            let (file, views) = (file.display().to_string(), certificate.views.len());
            let Certificate { strategy, rules_out, .. } = certificate;
            checked.push(CheckedProof { file, strategy, rules_out, views, took_ms, wrong });
        }
        output::print(&if self.json {
            serde_json::to_string_pretty(&checked)? + "\n"
        } else {
            checked.iter().map(proof_as_text).collect()
        })?;
        let is_wrong = checked.iter().any(|checked| checked.wrong.is_some());
        Ok(ExitCode::from(if is_wrong { exit::BROKEN } else { exit::MET }))
    }
}

fn proof_as_text(checked: &CheckedProof) -> String {
    let CheckedProof { file, strategy, rules_out, views, took_ms, wrong } = checked;
    let text = match wrong {
        None => format!("{file}: {strategy} never shows {} ({views} views, {took_ms:.0} ms)", rules_out.join(", ")),
        Some(wrong) => format!("{file}: proves nothing of {strategy}: {wrong}"),
    };
    output::wrap(&text) + "\n"
}

fn as_text(checked: &Checked) -> String {
    let Checked { planned, trials, agree, events, .. } = checked;
    let mut out: String = checked.disagreements.iter().map(|found| format!("{found}\n")).collect();
    if !checked.missing.is_empty() {
        let missing = checked.missing.len();
        out.push_str(&format!(
            "not finished: {missing} of {planned} planned trials are not there; `oncelab run --resume {}` makes them:\n",
            shell_path(Path::new(&checked.dir))
        ));
        checked.missing.iter().for_each(|trial| out.push_str(&format!("  {trial}\n")));
    }
    if !checked.failed.is_empty() {
        let resume = format!("oncelab run --resume {}", shell_path(Path::new(&checked.dir)));
        out.push_str(&format!("trials that failed; `{resume}` makes them again:\n"));
        checked.failed.iter().for_each(|(trial, why)| out.push_str(&format!("  {trial}: {why}\n")));
    }
    checked.not_judged.iter().for_each(|what| out.push_str(&format!("not judged: {what}\n")));
    match &checked.no_histories {
        Some(why) => out.push_str(&format!("{agree} of {trials} rows agree with the rest of the folder\n{why}\n")),
        None if checked.judged < *trials && checked.disagreements.is_empty() => {
            let judged = checked.judged;
            out.push_str(&format!("{judged} of {trials} trials judged again ({events} events) agree with the run; the others agree with the rest of the folder\n"));
        }
        None => {
            out.push_str(&format!("{agree} of {trials} trials judged again ({events} events) agree with the run\n"));
        }
    }
    out
}
