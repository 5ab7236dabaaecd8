//! Going on with a run: only where it was begun, with what it was begun with, and with the trials that are still what they were.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Disagreement;
use super::audit::hindrances;
use crate::quote::{printable, shell_path};
use crate::results::{FileError, Files, Meta, NoHistories, OpenError, RunFolder, SCHEMA};
use crate::strategy::Registry;

/// A run that can be gone on with.
pub struct Resumed {
    pub folder: RunFolder,
    /// The finished trials that must be made again, each with the reason.
    pub again: Vec<(String, String)>,
}

/// Why a run cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    NoHistories(#[from] NoHistories),
    #[error("{}: the run is merged from shards, and a merged run cannot be gone on with: resume the folder of a shard, and merge the shards again with `oncelab merge`", .folder.display())]
    Merged { folder: PathBuf },
    #[error("{}: {}; a run can be finished only with the experiment and the seed that it was begun with: bring the file back, or make the run again: `{command}`", .folder.display(), printable(.what))]
    Changed { folder: PathBuf, what: String, command: String },
    #[error("{}: the run was begun with another build or on another machine, and one table needs one of each: {}; make the run again here: `{command}`", .folder.display(), printable(.what))]
    Elsewhere { folder: PathBuf, what: String, command: String },
    #[error("{}: the run was begun on other servers, and one table needs the same servers: {}; resume the run on those servers, e.g. `oncelab run --resume {} --store-url URL`, or make the run again: `{command}`", .folder.display(), printable(.what), shell_path(.folder))]
    OtherServers { folder: PathBuf, what: String, command: String },
}

impl From<FileError> for ResumeError {
    fn from(error: FileError) -> Self {
        ResumeError::Open(error.into())
    }
}

impl RunFolder {
    /// Opens the folder of a run to go on with it.
    ///
    /// # Errors
    /// [`ResumeError`] if it cannot be opened, if another process writes into it, or if what would be added could not stand beside
    /// what is there: the schema, the build, the machine, the experiment or the seed is another.
    pub fn resume(path: &Path, registry: &Registry) -> Result<Resumed, ResumeError> {
        let folder = Self::open_to_write(path, registry)?;
        if folder.meta.schema != SCHEMA {
            return Err(FileError::Older { path: path.join(Files::META), found: folder.meta.schema }.into());
        }
        if !folder.meta.shards.is_empty() {
            return Err(ResumeError::Merged { folder: path.to_owned() });
        }
        let (folder_path, command) = (path.to_owned(), folder.meta.command());
        let hindrances = hindrances(&folder, registry)?;
        if let Some(first) = hindrances.first() {
            let others = hindrances.len() - 1;
            let more = if others > 0 { format!(" (and {others} more: `oncelab check`)") } else { String::new() };
            // The remedy for a row is not that for a run.
            let first = Disagreement { remedy: String::new(), ..first.clone() };
            let what = format!("{first}{more}");
            return Err(ResumeError::Changed { folder: folder_path, what, command });
        }
        if folder.rows().is_empty() {
            return Ok(Resumed { folder, again: Vec::new() });
        }
        let differences = elsewhere(&folder.meta, &Meta::of_this_machine());
        if !differences.is_empty() {
            return Err(ResumeError::Elsewhere { folder: folder_path, what: differences.join(", "), command });
        }
        if folder.rows().len() == folder.meta.trials_planned && folder.require_histories().is_err() {
            // A finished run of which no history was kept is left as it is.
            return Ok(Resumed { folder, again: Vec::new() });
        }
        folder.require_histories()?;
        let damaged = folder.rows().iter().filter_map(|row| Some((row.trial.clone(), folder.damage(row)?)));
        let again = damaged.collect();
        Ok(Resumed { folder, again })
    }

    /// That the servers are those that the finished trials were made on, by what they say of themselves.
    ///
    /// # Errors
    /// [`ResumeError::OtherServers`], with each setting that differs.
    pub fn require_servers(&self, now: &BTreeMap<String, String>) -> Result<(), ResumeError> {
        let then = &self.meta.backends;
        if self.rows().is_empty() {
            return Ok(());
        }
        let of = |settings: &BTreeMap<String, String>, key: &str| match settings.get(key) {
            Some(value) => format!("'{value}'"),
            None => "none".to_owned(),
        };
        let mut keys: Vec<&String> = then.keys().chain(now.keys()).collect();
        keys.sort();
        keys.dedup();
        // No trial was made on a service that could not be had: it may be another now.
        let absent: Vec<&String> = self.meta.uses.keys().filter(|role| !is_described(then, role)).collect();
        let matters = |key: &String| !absent.iter().any(|role| is_of(key, role));
        let differing = keys.into_iter().filter(|key| matters(key) && then.get(*key) != now.get(*key));
        let what: Vec<String> =
            differing.map(|key| format!("{key} was {}, and is {}", of(then, key), of(now, key))).collect();
        if what.is_empty() {
            return Ok(());
        }
        let (folder, command) = (self.path().to_owned(), self.meta.command());
        Err(ResumeError::OtherServers { folder, what: what.join(", "), command })
    }
}

/// Whether a setting is one of the service in a role.
fn is_of(key: &str, role: &str) -> bool {
    key.strip_prefix(role).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Whether the service in a role has said anything of itself, besides where it should be.
fn is_described(settings: &BTreeMap<String, String>, role: &str) -> bool {
    settings.keys().any(|key| is_of(key, role) && *key != format!("{role}_at"))
}

/// In what a run's build and machine differ from these.
fn elsewhere(then: &Meta, now: &Meta) -> Vec<String> {
    let build = |meta: &Meta| format!("{} at {}", meta.oncelab, meta.git_revision);
    let pairs = [
        ("oncelab", build(then), build(now)),
        ("its profile", then.profile.clone(), now.profile.clone()),
        ("the processor", then.cpu.clone(), now.cpu.clone()),
        ("the number of cores", then.cores.to_string(), now.cores.to_string()),
    ];
    let differing = pairs.into_iter().filter(|(_, then, now)| then != now);
    differing.map(|(what, then, now)| format!("{what} was '{then}', and is '{now}'")).collect()
}
