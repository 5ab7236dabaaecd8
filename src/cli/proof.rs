//! Certificates: the file of a proof for any number of deliveries, and the check of one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::UsageError;
use crate::explore::{Bound, Flaws, Kinds, ProofLines, Unproved, Violations, check_proof};
use crate::strategy::{Registry, WithHop};
use crate::terms::{FaultKind, Profile, Violation};

/// The version of the format. Certificates of another one are made again.
const FORMAT: u32 = 1;

/// How the name of a certificate ends.
const ENDING: &str = ".proof.json";

/// What a proof takes for granted beside the models.
const ASSUMED: &[&str] = &[
    "each statement is one step, and a server does what its model does: `oncelab conform` compares them",
    "strategies compare message ids for equality only, so that these requests stand for all",
    "all requests are about one account",
];

/// A certificate, as it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    format: u32,
    pub strategy: String,
    /// The command that makes it.
    pub command: String,
    /// The violations that no number of deliveries, retries and faults shows.
    pub rules_out: Vec<String>,
    store_model: String,
    hop: bool,
    requests: u8,
    reaper: bool,
    /// The faults, of each as many as can be.
    fault_kinds: Vec<String>,
    assumed: Vec<String>,
    /// How many lanes are in sight at once.
    lanes_in_sight: usize,
    strategy_digest: String,
    /// The places of the strategy at which its tokens matter; none if they matter nowhere.
    tokens_matter_at: Option<Vec<String>>,
    pub views: Vec<String>,
}

/// The faults of schedules as experiments name them, each once.
const NAMED: [FaultKind; 6] = [
    FaultKind::RequestLost,
    FaultKind::ReplyLost,
    FaultKind::LateLanding,
    FaultKind::Crash,
    FaultKind::Pause,
    FaultKind::Duplicated,
];

/// The faults of a set, by their names in experiments.
fn named_kinds(kinds: Kinds) -> Vec<String> {
    let is_in = |fault: &FaultKind| kinds.and(Kinds::of(*fault)) == kinds;
    NAMED.into_iter().filter(is_in).map(|fault| fault.name().to_owned()).collect()
}

impl Certificate {
    /// The certificate of a proof.
    pub fn new(
        strategy: &str,
        hop: bool,
        bound: Bound,
        command: String,
        rules_out: Violations,
        lines: ProofLines,
    ) -> Self {
        Certificate {
            format: FORMAT,
            strategy: strategy.to_owned(),
            command,
            rules_out: rules_out.iter().map(|violation| violation.name().to_owned()).collect(),
            store_model: bound.store.store().name().to_owned(),
            hop,
            requests: bound.requests,
            reaper: bound.reaps,
            fault_kinds: named_kinds(bound.kinds),
            assumed: ASSUMED.iter().map(|&assumed| assumed.to_owned()).collect(),
            lanes_in_sight: lines.size,
            strategy_digest: lines.strategy,
            tokens_matter_at: lines.tokens,
            views: lines.views,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`UsageError`] if the file cannot be written.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(file, text)
            .map_err(|error| UsageError(format!("--certificate: {} cannot be written: {error}", file.display())))?;
        Ok(())
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`UsageError`] if it cannot be read, or is none of this version.
    pub fn read(file: &Path) -> Result<Self, UsageError> {
        let refused =
            |why: String| UsageError(format!("{} is no certificate that this build can check: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
        let version: serde_json::Value = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        let format = version["format"].as_u64();
        if format != Some(FORMAT.into()) {
            let its = format.map_or("none".to_owned(), |format| format.to_string());
            return Err(refused(format!("its format is {its}, and this build writes {FORMAT}: make it again")));
        }
        serde_json::from_value(version).map_err(|error| refused(error.to_string()))
    }

    /// Checks it.
    ///
    /// # Errors
    /// [`UsageError`] if the build does not know what it is about, and [`Unproved`] if it proves nothing.
    pub fn check(&self, registry: &Registry) -> anyhow::Result<Result<(), Unproved>> {
        let registry = if self.hop { &WithHop::all(registry) } else { registry };
        let strategy = registry.get(&self.strategy)?;
        let store = [Profile::Sqlite, Profile::Postgres, Profile::Mariadb].into_iter();
        let store = store.into_iter().find(|profile| profile.store().name() == self.store_model);
        let store =
            store.ok_or_else(|| UsageError(format!("store_model: there is no store '{}'", self.store_model)))?;
        let mut kinds = Kinds::NONE;
        for name in &self.fault_kinds {
            let fault = FaultKind::from_name(name);
            kinds = kinds
                .and(Kinds::of(fault.ok_or_else(|| UsageError(format!("fault_kinds: there is no fault '{name}'")))?));
        }
        if !(1..=2).contains(&self.requests) || !(1..=2).contains(&self.lanes_in_sight) {
            return Err(UsageError("requests and lanes_in_sight are 1 or 2 in a certificate".to_owned()).into());
        }
        let bound = Bound { kinds, store, requests: self.requests, reaps: self.reaper, ..Bound::new(1, 0, 1) };
        let lines = ProofLines {
            size: self.lanes_in_sight,
            views: self.views.clone(),
            strategy: self.strategy_digest.clone(),
            tokens: self.tokens_matter_at.clone(),
        };
        let proved = check_proof(strategy.as_ref(), bound, Flaws::default(), &lines);
        // What it claims to rule out is what the check looks for.
        Ok(proved.and_then(|rules_out| {
            let claimed: Option<Violations> = self.rules_out.iter().map(|name| Violation::from_name(name)).collect();
            if claimed == Some(rules_out) { Ok(()) } else { Err(Unproved::OtherClaim) }
        }))
    }
}

/// The file of a certificate in a folder.
pub(super) fn file_in(folder: &Path, strategy: &str, requests: u8) -> PathBuf {
    let requests = if requests == 1 { String::new() } else { format!(".{requests}-requests") };
    folder.join(format!("{strategy}{requests}{ENDING}"))
}

/// The certificates that a path names: a file, or all of a folder; none if it is something else.
pub(super) fn at(path: &Path) -> Option<Vec<PathBuf>> {
    let is_one = |file: &Path| file.to_string_lossy().ends_with(".json");
    if path.is_file() {
        return is_one(path).then(|| vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).ok()?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.to_string_lossy().ends_with(ENDING));
    files.sort();
    (!files.is_empty()).then_some(files)
}
