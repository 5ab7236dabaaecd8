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
    #[error("{}: breaks off after {lines} lines: the file was truncated, so its trial cannot be judged; `oncelab run --resume` on the folder makes the trial again once the file is removed", .path.display())]
    Truncated { path: PathBuf, lines: u64 },
    #[error("{}:{line}: {what}: the file was edited, or is not one of the lab's", .path.display())]
    Wrong { path: PathBuf, line: u64, what: String },
    #[error("{}: has schema version {found}, and this oncelab reads versions {} to {}: use the version that wrote it (`oncelab` in its meta.json)", .path.display(), super::OLDEST, super::SCHEMA)]
    Schema { path: PathBuf, found: u32 },
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
