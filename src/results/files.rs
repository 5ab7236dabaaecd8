//! Files that are written whole or not at all, and read with errors that say what to do.

use std::fs::File;
use std::path::{Path, PathBuf};

/// Trouble with a file of the results.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: cannot be written: {source}{}; what was finished before is kept", .path.display(), remedy(.source))]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("{}: cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: breaks off after {lines} lines: the file was truncated, so its trial cannot be judged; to make the trial again, remove its line from trials.csv and run `oncelab run --resume` on the folder", .path.display())]
    Truncated { path: PathBuf, lines: u64 },
    #[error("{}:{line}: {what}: the file was edited, or is not one of the lab's", .path.display())]
    Wrong { path: PathBuf, line: u64, what: String },
    #[error("{}: has schema version {found}, and this oncelab reads versions {} to {}: use the version that wrote it (`oncelab` in its meta.json)", .path.display(), super::OLDEST, super::SCHEMA)]
    Schema { path: PathBuf, found: u32 },
    #[error("{}: has schema version {found}, and a run can only be finished by the version that began it (`oncelab` in its meta.json); it can still be read and checked", .path.display())]
    Older { path: PathBuf, found: u32 },
    #[error("{}: is not there; to make its trial again, remove the trial's line from trials.csv and run `oncelab run --resume` on the folder", .path.display())]
    Gone { path: PathBuf },
    #[error("{}: is not the folder of a run: it has no {missing}", .folder.display())]
    NoRun { folder: PathBuf, missing: &'static str },
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; free some space, or choose another disk with --out"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "; choose another folder with --out"
        }
        _ => "",
    }
}

impl FileError {
    pub(super) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        FileError::Unreadable { path: path.to_owned(), source }
    }

    /// The message without the path of the file in front.
    #[must_use]
    pub fn without_path(&self) -> String {
        let (FileError::Unwritable { path, .. }
        | FileError::Unreadable { path, .. }
        | FileError::Truncated { path, .. }
        | FileError::Wrong { path, .. }
        | FileError::Schema { path, .. }
        | FileError::Older { path, .. }
        | FileError::Gone { path }
        | FileError::NoRun { folder: path, .. }) = self;
        let text = self.to_string();
        let rest = text.strip_prefix(&path.display().to_string()).unwrap_or(&text);
        // What follows is either `: message` or `:line: message`.
        match rest.strip_prefix(": ") {
            Some(message) => message.to_owned(),
            None => format!("line {}", rest.trim_start_matches(':')),
        }
    }

    /// Whether what is in a file, or that it is not there, is wrong: not the disk, and not the lab.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            FileError::Truncated { .. }
            | FileError::Wrong { .. }
            | FileError::Schema { .. }
            | FileError::Older { .. }
            | FileError::Gone { .. }
            | FileError::NoRun { .. } => true,
            FileError::Unwritable { .. } | FileError::Unreadable { .. } => false,
        }
    }

    pub(super) fn unwritable(path: &Path, source: std::io::Error) -> Self {
        FileError::Unwritable { path: path.to_owned(), source }
    }
}

/// Writes a file under another name beside it and renames it when it is whole: a reader sees the old one or the new one,
/// and a full disk costs neither.
pub(super) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), FileError> {
    let unwritable = |source| FileError::unwritable(path, source);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // A temporary file is its owner's alone; results are for whoever may read the folder.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut unfinished = builder.prefix(".unfinished-").tempfile_in(folder).map_err(unwritable)?;
    write(unfinished.as_file_mut()).map_err(unwritable)?;
    unfinished.as_file().sync_all().map_err(unwritable)?;
    unfinished.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

/// The names of the files in a run's folder.
pub struct Files;

impl Files {
    pub const META: &'static str = "meta.json";
    pub const EXPERIMENT: &'static str = "experiment.toml";
    pub const TRIALS: &'static str = "trials.csv";
    pub const SUMMARY: &'static str = "summary.json";
    pub const HISTORIES: &'static str = "histories";
    pub const COURSES: &'static str = "courses";
    pub const SCHEDULES: &'static str = "schedules.json";
    pub const REPORT: &'static str = "report.md";
    pub const PAGE: &'static str = "report.html";
}
