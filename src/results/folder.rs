//! The folder of a run.

use std::path::{Path, PathBuf};

use super::files::{FileError, Files, write_atomically};
use super::history_file::Header;
use super::row::{TrialRow, read_rows, write_rows};
use super::{Course, Digest, Meta, Recorded, SavedTrial, read_history, write_history};
use crate::load::{Experiment, ExperimentError, TrialRecord, parse};
use crate::strategy::Registry;

/// The folder of one run, with what is in it so far.
pub struct RunFolder {
    path: PathBuf,
    pub meta: Meta,
    pub experiment: Experiment,
    rows: Vec<TrialRow>,
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
    pub fn create(results: &Path, meta: Meta, experiment: Experiment) -> Result<Self, FileError> {
        let time = meta.started.replace([':', '-'], "");
        // Two runs that start within a second differ in their process, and two of a process in their seed.
        let id = (u64::from(std::process::id()) ^ meta.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & 0xffff;
        let path = results.join(&experiment.name).join(format!("{time}-{id:04x}"));
        for inner in [Files::HISTORIES, Files::COURSES].map(|name| path.join(name)) {
            std::fs::create_dir_all(&inner).map_err(|source| FileError::unwritable(&inner, source))?;
        }
        let folder = RunFolder { path, meta, experiment, rows: Vec::new() };
        let text = toml::to_string(&folder.experiment).unwrap_or_default();
        folder.write(Files::EXPERIMENT, text.as_bytes())?;
        folder.write_json(Files::META, &folder.meta)?;
        write_rows(&folder.path.join(Files::TRIALS), &[])?;
        Ok(folder)
    }

    /// Opens the folder of a run.
    ///
    /// # Errors
    /// [`OpenError`] if it is none, if it was written under another schema, or if a file in it cannot be read.
    pub fn open(path: &Path, registry: &Registry) -> Result<Self, OpenError> {
        for missing in [Files::META, Files::EXPERIMENT, Files::TRIALS] {
            if !path.join(missing).is_file() {
                return Err(FileError::NoRun { folder: path.to_owned(), missing }.into());
            }
        }
        let file = path.join(Files::META);
        let text = std::fs::read_to_string(&file).map_err(|source| FileError::unreadable(&file, source))?;
        let wrong = |error: serde_json::Error| FileError::Wrong {
            path: file.clone(),
            line: error.line() as u64,
            what: error.to_string(),
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(wrong)?;
        let schema = value.get("schema").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let schema = u32::try_from(schema).unwrap_or(u32::MAX);
        if !super::is_known(schema) {
            return Err(FileError::Schema { path: file, found: schema }.into());
        }
        let meta: Meta = serde_json::from_value(value).map_err(wrong)?;
        let file = path.join(Files::EXPERIMENT);
        let text = std::fs::read_to_string(&file).map_err(|source| FileError::unreadable(&file, source))?;
        let experiment = parse(&file.display().to_string(), &text, registry)?;
        let rows = read_rows(&path.join(Files::TRIALS))?;
        Ok(RunFolder { path: path.to_owned(), meta, experiment, rows })
    }

    /// Opens the folder of a run to go on with it.
    ///
    /// # Errors
    /// [`OpenError`] as for [`open`](RunFolder::open), and if the run was begun under another schema: its rows lack what the new
    /// ones would have.
    pub fn resume(path: &Path, registry: &Registry) -> Result<Self, OpenError> {
        let folder = Self::open(path, registry)?;
        if folder.meta.schema == super::SCHEMA {
            return Ok(folder);
        }
        Err(FileError::Older { path: path.join(Files::META), found: folder.meta.schema }.into())
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
        let TrialRecord { requests, disturbed, events, ledger, balances, finished, usage } = record;
        let recorded = Recorded { requests, disturbed, events, finished, ledger, balances, usage: *usage };
        write_history(&self.history_path(&header.trial), header, recorded)
    }

    /// Saves the course of a trial.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written; what was finished before is kept.
    pub fn save_course(&self, trial: &str, course: &Course) -> Result<(), FileError> {
        let text = serde_json::to_vec(course).unwrap_or_default();
        write_atomically(&self.course_path(trial), |file| std::io::Write::write_all(file, &text))
    }

    /// Reads the course of a trial back.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be read.
    pub fn course(&self, trial: &str) -> Result<Course, FileError> {
        let path = self.course_path(trial);
        if path.is_file() { read_json(&path) } else { Err(FileError::Gone { path }) }
    }

    /// Reads a document back that [`write_json`](RunFolder::write_json) wrote.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be read.
    pub fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, FileError> {
        read_json(&self.path.join(name))
    }

    /// Adds a finished trial, whose history has been saved.
    ///
    /// # Errors
    /// [`FileError`] if it cannot be written; what was finished before is kept.
    pub fn add(&mut self, row: TrialRow) -> Result<(), FileError> {
        self.rows.push(row);
        write_rows(&self.path.join(Files::TRIALS), &self.rows)
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
        write_atomically(&self.path.join(name), |file| std::io::Write::write_all(file, text))
    }

    fn course_path(&self, trial: &str) -> PathBuf {
        self.path.join(Files::COURSES).join(format!("{trial}.json"))
    }

    fn history_path(&self, trial: &str) -> PathBuf {
        self.path.join(Files::HISTORIES).join(format!("{trial}.jsonl.zst"))
    }
}

/// The columns that the rows of a run have.
pub(super) fn columns_of(folder: &RunFolder) -> Result<Vec<String>, FileError> {
    let path = folder.path.join(Files::TRIALS);
    let text = std::fs::read(&path).map_err(|source| FileError::unreadable(&path, source))?;
    let wrong = |error: csv::Error| FileError::Wrong { path: path.clone(), line: 1, what: error.to_string() };
    let mut csv = csv::Reader::from_reader(text.as_slice());
    Ok(csv.headers().map_err(wrong)?.iter().map(str::to_owned).collect())
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = std::fs::read(path).map_err(|source| FileError::unreadable(path, source))?;
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
