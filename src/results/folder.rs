//! The folder of a run.

use std::path::{Path, PathBuf};

use super::files::{FileError, Files, LARGEST_DOCUMENT, read, read_text, write_atomically};
use super::history_file::{Header, digest_of, sha256};
use super::row::{TrialRow, columns_of, read_rows, write_rows};
use super::writer::Writer;
use super::{Course, Digest, Meta, Recorded, SavedTrial, read_history, write_history};
use crate::experiment::{Experiment, ExperimentError, LARGEST_EXPERIMENT, parse};
use crate::load::TrialRecord;
use crate::strategy::Registry;

/// The most bytes of a run's description: some 300 times what any has.
const LARGEST_META: u64 = 1 << 20;

/// The most bytes of a trial's course: some 20 times what any has.
const LARGEST_COURSE: u64 = 1 << 20;

/// The folder of one run, with what is in it so far.
pub struct RunFolder {
    path: PathBuf,
    pub meta: Meta,
    pub experiment: Experiment,
    rows: Vec<TrialRow>,
    /// That nobody else writes into it; none if it was opened to be read.
    writer: Option<Writer>,
}

/// Why the folder of a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
}

/// No history of a run was kept: it can be read, and not judged again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: its histories were not kept, so no trial can be judged again; `{command}` makes the run again, with histories", .folder.display())]
pub struct NoHistories {
    folder: PathBuf,
    command: String,
}

impl RunFolder {
    /// Makes `<results>/<experiment>/<UTC time>-<short id>/` with the experiment and the description of the run in it.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written.
    pub fn create(results: &Path, mut meta: Meta, experiment: Experiment) -> Result<Self, FileError> {
        let path = unused(&results.join(&experiment.name), &meta)?;
        let writer = Writer::of(&path)?;
        for inner in [Files::HISTORIES, Files::COURSES].map(|name| path.join(name)) {
            std::fs::create_dir(&inner).map_err(|source| FileError::unwritable(&inner, source))?;
        }
        let text = toml::to_string(&experiment).unwrap_or_default();
        meta.experiment.clone_from(&experiment.name);
        meta.experiment_sha256 = Some(sha256(text.as_bytes()));
        let folder = RunFolder { path, meta, experiment, rows: Vec::new(), writer: Some(writer) };
        folder.write(Files::EXPERIMENT, text.as_bytes())?;
        write_rows(&folder.path.join(Files::TRIALS), &[])?;
        // The last: what has it is the folder of a run.
        folder.write_json(Files::META, &folder.meta)?;
        Ok(folder)
    }

    /// Makes the folder of a run at this place of trials that other folders have, with their histories as far as they were kept. The first
    /// folder's experiment is the run's.
    ///
    /// # Errors
    /// [`FileError`] if a file of theirs cannot be read or one of its own cannot be written.
    pub fn gather(path: &Path, meta: Meta, of: &[RunFolder], rows: Vec<(usize, TrialRow)>) -> Result<Self, FileError> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |source| FileError::unwritable(&path, source)
        };
        std::fs::create_dir_all(path).map_err(unwritable(path))?;
        let writer = Writer::of(path)?;
        for inner in [Files::HISTORIES, Files::COURSES].map(|name| path.join(name)) {
            std::fs::create_dir(&inner).map_err(unwritable(&inner))?;
        }
        let experiment = of[0].experiment.clone();
        let text = read(&of[0].path.join(Files::EXPERIMENT), LARGEST_EXPERIMENT)?;
        let mut folder = RunFolder { path: path.to_owned(), meta, experiment, rows: Vec::new(), writer: Some(writer) };
        for (from, row) in rows {
            for file in [RunFolder::history_path, RunFolder::course_path] {
                let (from, to) = (file(&of[from], &row.trial), file(&folder, &row.trial));
                if from.is_file() {
                    std::fs::copy(&from, &to).map_err(unwritable(&to))?;
                }
            }
            folder.rows.push(row);
        }
        folder.write(Files::EXPERIMENT, &text)?;
        write_rows(&folder.path.join(Files::TRIALS), &folder.rows)?;
        folder.write_json(Files::META, &folder.meta)?;
        Ok(folder)
    }

    /// Opens the folder of a run to read it, also while a run writes into it.
    ///
    /// # Errors
    /// [`OpenError`] if it is none, if it was written under another schema, or if a file in it cannot be read.
    pub fn open(path: &Path, registry: &Registry) -> Result<Self, OpenError> {
        require_run(path)?;
        let meta = read_meta(&path.join(Files::META))?;
        let file = path.join(Files::EXPERIMENT);
        let text = read_text(&file, LARGEST_EXPERIMENT)?;
        let experiment = parse(&file.display().to_string(), &text, registry)?;
        let rows = read_rows(&path.join(Files::TRIALS))?;
        Ok(RunFolder { path: path.to_owned(), meta, experiment, rows, writer: None })
    }

    /// Opens the folder of a run to write into it: nobody else can, for as long as this lives.
    ///
    /// # Errors
    /// [`OpenError`] as for [`open`](RunFolder::open), and if another process writes into it.
    pub fn open_to_write(path: &Path, registry: &Registry) -> Result<Self, OpenError> {
        require_run(path)?;
        // Before anything is read: what another writer was about to write would be lost.
        let writer = Writer::of(path)?;
        Ok(RunFolder { writer: Some(writer), ..Self::open(path, registry)? })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The trials that are finished, in the order in which they were.
    #[must_use]
    pub fn rows(&self) -> &[TrialRow] {
        &self.rows
    }

    /// Saves the history of a trial, and gives the digest of its lines.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written; what was finished before is kept.
    pub fn save_history(&self, header: &Header, record: &TrialRecord) -> Result<Digest, FileError> {
        let TrialRecord { requests, disturbed, events, ledger, balances, finished, usage, hop: _ } = record;
        let recorded = Recorded { requests, disturbed, events, finished, ledger, balances, usage: *usage };
        self.is_written();
        write_history(&self.history_path(&header.trial), header, recorded)
    }

    /// Saves the course of a trial.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written; what was finished before is kept.
    pub fn save_course(&self, trial: &str, course: &Course) -> Result<(), FileError> {
        self.is_written();
        let text = serde_json::to_vec(course).unwrap_or_default();
        write_atomically(&self.course_path(trial), |file| std::io::Write::write_all(file, &text))
    }

    /// Reads the course of a trial back.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be read.
    pub fn course(&self, trial: &str) -> Result<Course, FileError> {
        let path = self.course_path(trial);
        if !path.is_file() {
            return Err(FileError::Gone { path });
        }
        let course: Course = read_json(&path, LARGEST_COURSE)?;
        course.fault().map_or(Ok(course), |what| Err(FileError::Wrong { path, line: 1, what }))
    }

    /// Reads a document back that [`write_json`](RunFolder::write_json) wrote.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be read.
    pub fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, FileError> {
        read_json(&self.path.join(name), LARGEST_DOCUMENT)
    }

    /// Adds a finished trial, whose history has been saved.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written; what was finished before is kept.
    pub fn add(&mut self, row: TrialRow) -> Result<(), FileError> {
        self.is_written();
        let has_failed_before = self.meta.failed.remove(&row.trial).is_some();
        self.rows.push(row);
        write_rows(&self.path.join(Files::TRIALS), &self.rows)?;
        if has_failed_before { self.write_json(Files::META, &self.meta) } else { Ok(()) }
    }

    /// Notes that a trial has failed, and why.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written; what was finished before is kept.
    pub fn fail(&mut self, trial: String, why: String) -> Result<(), FileError> {
        self.meta.failed.insert(trial, why);
        self.write_json(Files::META, &self.meta)
    }

    /// Takes the rows of these trials away, to make the trials again.
    ///
    /// # Errors
    /// [`FileError`] if that cannot be written.
    pub fn forget(&mut self, trials: &[String]) -> Result<(), FileError> {
        if trials.is_empty() {
            return Ok(());
        }
        self.is_written();
        self.rows.retain(|row| !trials.contains(&row.trial));
        write_rows(&self.path.join(Files::TRIALS), &self.rows)
    }

    /// Why the history of a trial, or its course, is not what its row was made of; nothing if both are.
    pub(crate) fn damage(&self, row: &TrialRow) -> Option<String> {
        let course = self.course(&row.trial);
        match self.digest(&row.trial) {
            Err(FileError::Gone { .. }) => Some("its history is not there".to_owned()),
            Err(error) => Some(format!("its history is damaged: {}", error.without_path())),
            Ok(digest) if digest != row.history_sha256 => Some("its history was changed since the run".to_owned()),
            Ok(_) => course.err().map(|error| match error {
                FileError::Gone { .. } => "its course is not there".to_owned(),
                error => format!("its course is damaged: {}", error.without_path()),
            }),
        }
    }

    /// The digest of a history as it is now.
    fn digest(&self, trial: &str) -> Result<Digest, FileError> {
        let path = self.history_path(trial);
        if path.is_file() { digest_of(&path) } else { Err(FileError::Gone { path }) }
    }

    /// The columns that its rows have.
    pub(crate) fn columns(&self) -> Result<Vec<String>, FileError> {
        columns_of(&self.path.join(Files::TRIALS))
    }

    /// The digest of the experiment's file as it is now.
    pub(crate) fn experiment_digest(&self) -> Result<Digest, FileError> {
        read(&self.path.join(Files::EXPERIMENT), LARGEST_EXPERIMENT).map(|text| sha256(&text))
    }

    /// Reads the history of a trial back.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be read.
    pub fn history(&self, trial: &str) -> Result<SavedTrial, FileError> {
        let path = self.history_path(trial);
        if path.is_file() { read_history(&path) } else { Err(FileError::Gone { path }) }
    }

    /// That there are histories to judge.
    ///
    /// # Errors
    /// [`NoHistories`] if there are trials and not one of them has its history.
    pub fn require_histories(&self) -> Result<(), NoHistories> {
        let is_kept = |row: &TrialRow| self.history_path(&row.trial).is_file();
        if self.rows.is_empty() || self.rows.iter().any(is_kept) {
            return Ok(());
        }
        Err(NoHistories { folder: self.path.clone(), command: self.meta.command() })
    }

    /// Writes a document as JSON.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written.
    pub fn write_json(&self, name: &str, document: &impl serde::Serialize) -> Result<(), FileError> {
        self.is_written();
        let path = self.path.join(name);
        write_atomically(&path, |file| {
            serde_json::to_writer_pretty(&mut *file, document)?;
            std::io::Write::write_all(file, b"\n")
        })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written.
    pub fn write(&self, name: &str, text: &[u8]) -> Result<(), FileError> {
        self.is_written();
        write_atomically(&self.path.join(name), |file| std::io::Write::write_all(file, text))
    }

    /// A bug of the lab's: it writes into a folder that it has opened to read it.
    fn is_written(&self) {
        debug_assert!(self.writer.is_some(), "{} was opened to be read", self.path.display());
    }

    fn course_path(&self, trial: &str) -> PathBuf {
        self.path.join(Files::COURSES).join(format!("{trial}.json"))
    }

    fn history_path(&self, trial: &str) -> PathBuf {
        self.path.join(Files::HISTORIES).join(format!("{trial}.jsonl.zst"))
    }
}

/// How often another name is drawn, if a folder of the name that was drawn is there.
const ATTEMPTS: usize = 64;

/// Makes a folder that was not there, named after the start of a run and a number drawn by the system's generator. Process, seed and second
/// do not tell two runs apart: in containers every process has the number 1, and the runs of one job have one seed and begin together.
fn unused(runs: &Path, meta: &Meta) -> Result<PathBuf, FileError> {
    std::fs::create_dir_all(runs).map_err(|source| FileError::unwritable(runs, source))?;
    let time = meta.started.replace([':', '-'], "");
    for _ in 0..ATTEMPTS {
        let path = runs.join(format!("{time}-{:08x}", rand::random::<u32>()));
        match std::fs::create_dir(&path) {
            // Another machine's run, in a folder that both write to.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FileError::unwritable(&path, source)),
            Ok(()) => return Ok(path),
        }
    }
    Err(FileError::unwritable(runs, std::io::ErrorKind::AlreadyExists.into()))
}

/// That the folder is one of a run.
fn require_run(path: &Path) -> Result<(), FileError> {
    let missing = [Files::META, Files::EXPERIMENT, Files::TRIALS].into_iter().find(|name| !path.join(name).is_file());
    missing.map_or(Ok(()), |missing| Err(FileError::NoRun { folder: path.to_owned(), missing }))
}

fn read_meta(path: &Path) -> Result<Meta, FileError> {
    let text = read_text(path, LARGEST_META)?;
    let wrong = |line: usize, what: String| FileError::Wrong { path: path.to_owned(), line: line as u64, what };
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| wrong(error.line(), error.to_string()))?;
    let schema = value.get("schema").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let schema = u32::try_from(schema).unwrap_or(u32::MAX);
    if !super::is_known(schema) {
        return Err(FileError::Schema { path: path.to_owned(), found: schema });
    }
    let meta: Meta = serde_json::from_value(value).map_err(|error| wrong(1, error.to_string()))?;
    meta.fault().map_or(Ok(meta), |(key, what)| {
        let line = text.lines().position(|line| line.trim_start().starts_with(&format!("\"{key}\""))).unwrap_or(0);
        Err(wrong(line + 1, what))
    })
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, most: u64) -> Result<T, FileError> {
    let text = read(path, most)?;
    let wrong = |error: serde_json::Error| FileError::Wrong {
        path: path.to_owned(),
        line: error.line() as u64,
        what: error.to_string(),
    };
    serde_json::from_slice(&text).map_err(wrong)
}

/// The folders of runs below a folder, by path.
#[must_use]
pub fn runs_below(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut runs: Vec<PathBuf> = list(folder).iter().flat_map(|experiment| list(experiment)).collect();
    runs.retain(|run| run.join(Files::META).is_file());
    runs.sort();
    runs
}
