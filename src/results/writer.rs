//! The one writer of a run's folder: whoever holds the lock on a file in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::files::{FileError, Files};

/// How often the file is opened again, when another writer has removed it between the opening and the lock.
const ATTEMPTS: usize = 100;

/// The right to write into the folder of a run. It ends with this value, and with its process however that ends.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    _file: File,
}

impl Writer {
    /// Takes the right for this process.
    ///
    /// # Errors
    /// [`FileError::Busy`] if another process has it, [`FileError::Unwritable`] if the file cannot be made or locked.
    pub fn of(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(Files::WRITER);
        let unwritable = |source| FileError::unwritable(&path, source);
        for _ in 0..ATTEMPTS {
            let mut file = options().open(&path).map_err(unwritable)?;
            match file.try_lock() {
                // A writer that ends removes its file: a lock on what is gone holds off nobody.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => {
                    file.set_len(0).map_err(unwritable)?;
                    write!(file, "{}", std::process::id()).map_err(unwritable)?;
                    return Ok(Writer { path, _file: file });
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(FileError::Busy { folder: folder.to_owned(), process: process(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(unwritable(source)),
            }
        }
        Err(FileError::Busy { folder: folder.to_owned(), process: None })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Still locked: the next writer either sees this file, or none.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The process that a file names, if it names one.
fn process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let mut options = OpenOptions::new();
    // What a link of this name points to is not the folder's, and a named pipe would never open.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.read(true).write(true).create(true).custom_flags(flags.bits().cast_signed());
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

/// Whether the file is the one that is at this path now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let id = |found: std::fs::Metadata| (found.dev(), found.ino());
    file.metadata().map(id).ok() == std::fs::symlink_metadata(path).map(id).ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Writer::of(folder.path()).unwrap();
        let refused = Writer::of(folder.path()).unwrap_err().to_string();
        let process = format!("process {}", std::process::id());
        assert!(refused.contains(&process) && refused.contains(folder.path().to_str().unwrap()), "{refused}");
        drop(first);
        assert!(!folder.path().join(Files::WRITER).exists());
        drop(Writer::of(folder.path()).unwrap());
    }

    #[test]
    fn what_a_killed_writer_leaves_holds_off_nobody() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(Files::WRITER), "4194999 and more").unwrap();
        drop(Writer::of(folder.path()).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, folder.path().join(Files::WRITER)).unwrap();
        assert!(matches!(Writer::of(folder.path()), Err(FileError::Unwritable { .. })));
        assert!(!elsewhere.exists());
    }

    #[test]
    fn many_at_once_are_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, most) = (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut had = 0;
                    while had < 200 {
                        let Ok(writer) = Writer::of(folder.path()) else { continue };
                        most.fetch_max(inside.fetch_add(1, order) + 1, order);
                        had += 1;
                        inside.fetch_sub(1, order);
                        drop(writer);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
    }
}
