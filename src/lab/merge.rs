//! Merging: one run of the shards that several machines have made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::audit::hindrances;
use super::{Derived, trials_of, whole_of};
use crate::experiment::ExperimentError;
use crate::parallel::in_parallel;
use crate::quote::{printable, shell_path};
use crate::results::{FileError, Files, Meta, OpenError, RunFolder, SCHEMA, ShardOrigin, TrialRow, runs_below};
use crate::strategy::Registry;
use crate::terms::Shard;

/// Why shards are not one run. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{}: is a whole run and no shard; name folders of runs that were made with --shard", .0.display())]
    Whole(PathBuf),
    #[error("{}: is itself merged from shards; name the folders of the shards", .0.display())]
    Merged(PathBuf),
    #[error("{}: {key} is {found}, and that of {} is {of_first}; shards of one run have the same: make one of them again", .folder.display(), .first.display())]
    Differs { folder: PathBuf, first: PathBuf, key: String, found: String, of_first: String },
    #[error("of {of} shards there are two folders of shard {number}: {} and {}; leave one out", .one.display(), .other.display())]
    Doubled { number: u16, of: u16, one: PathBuf, other: PathBuf },
    #[error(
        "{what} missing: name every shard's folder; `oncelab run … --shard i/{of}`, with the seed of the others, makes a shard"
    )]
    Missing { of: u16, what: String },
    #[error("shard {shard} is not finished: {left} of its {planned} trials are not there; `oncelab run --resume {}` finishes it", shell_path(.folder))]
    Unfinished { shard: Shard, folder: PathBuf, left: usize, planned: usize },
    #[error("shard {shard} is damaged: {}: {what}; `oncelab check {}` tells more", .folder.display(), shell_path(.folder))]
    Damaged { shard: Shard, folder: PathBuf, what: String },
    #[error("--out {}: {what}; name a folder that is not there yet", .out.display())]
    Out { out: PathBuf, what: String },
}

impl From<FileError> for MergeError {
    fn from(error: FileError) -> Self {
        MergeError::Open(error.into())
    }
}

impl From<ExperimentError> for MergeError {
    fn from(error: ExperimentError) -> Self {
        MergeError::Open(error.into())
    }
}

/// Makes one run of its shards, in a folder of its own. Each place is the folder of a shard, or a folder below which there are some. All
/// is looked at before anything is written.
///
/// # Errors
/// What keeps the shards from being one run, or a file that cannot be written.
pub fn merge(out: &Path, places: &[PathBuf], registry: &Registry) -> anyhow::Result<(RunFolder, Derived)> {
    let folders = shards_at(places)?;
    require_apart(out, &folders)?;
    let mut parts = Vec::new();
    for path in &folders {
        parts.push(part(path, registry)?);
    }
    parts.sort_by_key(|(shard, _)| shard.number());
    require_equal(&parts)?;
    require_all(&parts)?;
    for (shard, folder) in &parts {
        require_finished(*shard, folder, registry)?;
    }
    let damaged: Vec<Result<bool, MergeError>> =
        in_parallel(&parts, |(shard, folder)| require_sound(*shard, folder, registry));
    let kept = damaged.into_iter().collect::<Result<Vec<bool>, MergeError>>()?;
    let meta = meta_of(&parts, &kept, registry);
    let folders: Vec<RunFolder> = parts.into_iter().map(|(_, folder)| folder).collect();
    let rows = in_order(&meta, &folders, registry);
    let made = RunFolder::gather(out, meta, &folders, rows)
        .map_err(anyhow::Error::from)
        .and_then(|folder| Derived::save_merged(&folder, registry).map(|derived| (folder, derived)));
    if let Err(error) = &made
        // It was not there before, unless another process is making it.
        && !matches!(error.downcast_ref(), Some(FileError::Busy { .. }))
    {
        let _ = std::fs::remove_dir_all(out);
    }
    made
}

/// The folders of runs that are meant.
fn shards_at(places: &[PathBuf]) -> Result<Vec<PathBuf>, MergeError> {
    let mut folders = Vec::new();
    for place in places {
        if place.join(Files::META).is_file() {
            folders.push(place.clone());
            continue;
        }
        let mut below = runs_below(place);
        // A results folder of each shard, in one folder.
        let inner = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
        below.extend(inner.filter(|path| path.is_dir()).flat_map(|path| runs_below(&path)));
        below.sort();
        if below.is_empty() {
            return Err(FileError::NoRun { folder: place.clone(), missing: Files::META }.into());
        }
        folders.append(&mut below);
    }
    Ok(folders)
}

/// That the new folder is none that is there, and lies in none of the shards.
fn require_apart(out: &Path, folders: &[PathBuf]) -> Result<(), MergeError> {
    let refused = |what: &str| Err(MergeError::Out { out: out.to_owned(), what: what.to_owned() });
    let real = |path: &Path| {
        // What is not there yet lies where its parent does.
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        let rest = path.strip_prefix(there).unwrap_or(path);
        there.canonicalize().map_or_else(|_| path.to_owned(), |there| there.join(rest))
    };
    let place = real(out);
    if folders.iter().any(|folder| place.starts_with(real(folder))) {
        return refused("is one of the shards, or lies in one");
    }
    match std::fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => refused("is there, and is not empty"),
        Err(_) if out.exists() => refused("is there, and is not a folder"),
        Err(_) => Ok(()),
    }
}

/// A folder, if it is a shard's.
fn part(path: &Path, registry: &Registry) -> Result<(Shard, RunFolder), MergeError> {
    let folder = RunFolder::open(path, registry)?;
    if !folder.meta.shards.is_empty() {
        return Err(MergeError::Merged(path.to_owned()));
    }
    let shard = folder.meta.shard.ok_or_else(|| MergeError::Whole(path.to_owned()))?;
    if folder.meta.schema != SCHEMA {
        return Err(FileError::Older { path: path.join(Files::META), found: folder.meta.schema }.into());
    }
    Ok((shard, folder))
}

/// What shards of one run have in common, by name: also to say in what two differ.
fn common(folder: &RunFolder) -> Result<BTreeMap<String, String>, FileError> {
    let meta = &folder.meta;
    let dirty = if meta.git_dirty { " with changes" } else { "" };
    let own = [
        ("the number of shards", meta.shards_in_all().to_string()),
        ("the experiment", meta.experiment.clone()),
        ("the digest of experiment.toml", folder.experiment_digest()?.to_string()),
        ("the seed", meta.seed.to_string()),
        ("the build", format!("{} at {}{dirty}, {}, {}", meta.oncelab, meta.git_revision, meta.profile, meta.rustc)),
        ("store", meta.store.clone()),
        ("lock", meta.lock.clone()),
        ("provision", meta.provision.clone()),
        ("uses", in_words(&meta.uses)),
        ("skipped", in_words(&meta.skipped)),
    ];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    // Each machine has servers of its own: where they are is no difference, and what they are is.
    let servers = meta.backends.iter().filter(|(key, _)| !key.ends_with("_at"));
    Ok(own.chain(servers.map(|(key, value)| (format!("backends: {key}"), value.clone()))).collect())
}

fn in_words(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join("; ")
}

fn require_equal(parts: &[(Shard, RunFolder)]) -> Result<(), MergeError> {
    let (_, first) = &parts[0];
    let expected = common(first)?;
    for (_, folder) in &parts[1..] {
        let found = common(folder)?;
        let keys = found.keys().chain(expected.keys());
        if let Some(key) = keys.into_iter().find(|key| found.get(*key) != expected.get(*key)) {
            let said = |map: &BTreeMap<String, String>| {
                map.get(key).map_or_else(|| "not there".to_owned(), |value| format!("'{}'", printable(value)))
            };
            return Err(MergeError::Differs {
                folder: folder.path().to_owned(),
                first: first.path().to_owned(),
                key: key.clone(),
                found: said(&found),
                of_first: said(&expected),
            });
        }
    }
    Ok(())
}

/// That each shard is there once.
fn require_all(parts: &[(Shard, RunFolder)]) -> Result<(), MergeError> {
    let of = parts[0].0.of();
    if let Some(pair) = parts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let (one, other) = (pair[0].1.path().to_owned(), pair[1].1.path().to_owned());
        return Err(MergeError::Doubled { number: pair[0].0.number(), of, one, other });
    }
    let is_there = |number: &u16| parts.iter().any(|(shard, _)| shard.number() == *number);
    let missing: Vec<String> = (1..=of).filter(|number| !is_there(number)).map(|number| number.to_string()).collect();
    match missing.as_slice() {
        [] => Ok(()),
        [one] => Err(MergeError::Missing { of, what: format!("shard {one} of {of} is") }),
        [most @ .., last] => {
            Err(MergeError::Missing { of, what: format!("shards {} and {last} of {of} are", most.join(", ")) })
        }
    }
}

/// That a shard has a row of each of its trials, but for those that failed.
fn require_finished(shard: Shard, folder: &RunFolder, registry: &Registry) -> Result<(), MergeError> {
    let planned = trials_of(&folder.meta, &folder.experiment, registry);
    let is_over =
        |trial: &String| folder.meta.failed.contains_key(trial) || folder.rows().iter().any(|row| row.trial == *trial);
    let left = planned.iter().filter(|trial| !is_over(&trial.id())).count();
    if left == 0 {
        return Ok(());
    }
    Err(MergeError::Unfinished { shard, folder: folder.path().to_owned(), left, planned: planned.len() })
}

/// That a shard's rows are those that its experiment and seed plan, and that its histories are those that the rows were made of. Whether it
/// has histories.
fn require_sound(shard: Shard, folder: &RunFolder, registry: &Registry) -> Result<bool, MergeError> {
    let damaged = |what: String| MergeError::Damaged { shard, folder: folder.path().to_owned(), what };
    if let Some(first) = hindrances(folder, registry)?.first() {
        return Err(damaged(super::Disagreement { remedy: String::new(), ..first.clone() }.to_string()));
    }
    if folder.require_histories().is_err() {
        return Ok(false);
    }
    match folder.rows().iter().find_map(|row| Some((row, folder.damage(row)?))) {
        Some((row, what)) => Err(damaged(format!("{}: {what}", row.trial))),
        None => Ok(!folder.rows().is_empty()),
    }
}

/// The description of the whole run.
fn meta_of(parts: &[(Shard, RunFolder)], kept: &[bool], registry: &Registry) -> Meta {
    let origin = |((shard, folder), histories): (&(Shard, RunFolder), &bool)| {
        let RunFolder { meta, .. } = folder;
        ShardOrigin {
            shard: *shard,
            run: folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            started: meta.started.clone(),
            cpu: meta.cpu.clone(),
            cores: meta.cores,
            memory_mib: meta.memory_mib,
            kernel: meta.kernel.clone(),
            trials: folder.rows().len(),
            histories: *histories,
        }
    };
    let (_, first) = &parts[0];
    let shards: Vec<ShardOrigin> = parts.iter().zip(kept).map(origin).collect();
    let same_everywhere =
        |key: &String, value: &String| parts.iter().all(|(_, folder)| folder.meta.backends.get(key) == Some(value));
    let mut backends = first.meta.backends.clone();
    backends.retain(|key, value| same_everywhere(key, value));
    let mut meta = Meta {
        shard: None,
        started: shards.iter().map(|origin| origin.started.clone()).min().unwrap_or_default(),
        shards,
        failed: parts.iter().flat_map(|(_, folder)| folder.meta.failed.clone()).collect(),
        backends,
        ..first.meta.clone()
    };
    meta.trials_planned = whole_of(&meta, &first.experiment, registry).len();
    meta
}

/// The rows in the order in which one machine would have made them, each with the number of the folder that has it.
fn in_order(meta: &Meta, folders: &[RunFolder], registry: &Registry) -> Vec<(usize, TrialRow)> {
    let all = folders.iter().enumerate().flat_map(|(n, folder)| folder.rows().iter().map(move |row| (n, row)));
    let mut by_trial: BTreeMap<&str, (usize, &TrialRow)> = all.map(|(n, row)| (row.trial.as_str(), (n, row))).collect();
    let planned = whole_of(meta, &folders[0].experiment, registry);
    planned.iter().filter_map(|trial| by_trial.remove(trial.id().as_str())).map(|(n, row)| (n, row.clone())).collect()
}
