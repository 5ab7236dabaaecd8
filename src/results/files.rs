//! Files that are written whole or not at all, and read with errors that say what to do.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::quote::{printable, shell_path};

/// Trouble with a file of the results.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: cannot be written: {source}{}; what was finished before is kept", .path.display(), remedy(.source))]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("{}: cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: breaks off after {lines} lines: the file was truncated, so its trial cannot be judged; {}", .path.display(), again(.path))]
    Truncated { path: PathBuf, lines: u64 },
    #[error("{}:{line}: {}: the file was edited, or is not one of the lab's", .path.display(), printable(.what))]
    Wrong { path: PathBuf, line: u64, what: String },
    #[error("{}: {what}: the file was edited, or is not one of the lab's", .path.display())]
    TooLarge { path: PathBuf, what: String },
    #[error("{}: has schema version {found}, and this oncelab reads versions {} to {}: use the version that wrote it (`oncelab` in its meta.json)", .path.display(), super::OLDEST, super::SCHEMA)]
    Schema { path: PathBuf, found: u32 },
    #[error("{}: has schema version {found}; only the version of oncelab that began a run can finish the run (`oncelab` in its meta.json); the run can still be read and checked", .path.display())]
    Older { path: PathBuf, found: u32 },
    #[error("{}: is not there; {}", .path.display(), again(.path))]
    Gone { path: PathBuf },
    #[error("{}: is not the folder of a run: it has no {missing}", .folder.display())]
    NoRun { folder: PathBuf, missing: &'static str },
    #[error("{}: another oncelab{} is writing into this folder, and a folder has one writer: wait until the other one ends, or stop it; meanwhile `oncelab report {}` can read the folder", .folder.display(), named(*.process), shell_path(.folder))]
    Busy { folder: PathBuf, process: Option<u32> },
}

/// What brings a file of a trial back.
fn again(file: &Path) -> String {
    let folder = file.parent().and_then(Path::parent).unwrap_or(file);
    format!("`oncelab run --resume {}` makes its trial again", shell_path(folder))
}

fn named(process: Option<u32>) -> String {
    process.map_or(String::new(), |process| format!(" (process {process})"))
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
        | FileError::TooLarge { path, .. }
        | FileError::Schema { path, .. }
        | FileError::Older { path, .. }
        | FileError::Gone { path }
        | FileError::NoRun { folder: path, .. }
        | FileError::Busy { folder: path, .. }) = self;
        let text = self.to_string();
        let rest = text.strip_prefix(&path.display().to_string()).unwrap_or(&text);
        // What follows is either `: message` or `:line: message`.
        match rest.strip_prefix(": ") {
            Some(message) => message.to_owned(),
            None => format!("line {}", rest.trim_start_matches(':')),
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

/// The most bytes that are read of a document about a run.
pub(crate) const LARGEST_DOCUMENT: u64 = 64 << 20;

/// Reads a file whole, if it is a file and has no more than so many bytes.
///
/// # Errors
/// [`FileError`] if it cannot be read, is no file, or is larger.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let unreadable = |source| FileError::unreadable(path, source);
    let too_large = || {
        let what = format!("has more than {} MiB, which no file of its kind has", most >> 20);
        FileError::TooLarge { path: path.to_owned(), what }
    };
    let file = open(path)?;
    if file.metadata().map_err(unreadable)?.len() > most {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

/// Reads a file whole as text.
///
/// # Errors
/// As for [`read`], and if it is not text.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, most)?).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        FileError::Wrong { path: path.to_owned(), line, what: "is not text".to_owned() }
    })
}

/// Opens a file to read it: not a device, and not a pipe, which might never end.
///
/// # Errors
/// [`FileError`] if it cannot be opened, or is none.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    let unreadable = |source| FileError::unreadable(path, source);
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    // A pipe without a writer would hold the opening up for ever.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_file() {
        return Ok(file);
    }
    Err(unreadable(std::io::Error::other("it is not a file")))
}

/// The names of the files in a run's folder.
pub struct Files;

impl Files {
    /// The lock of the one writer; not a result.
    pub const WRITER: &'static str = ".writer";
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
