//! Folders for what backends keep, which nobody but this user can read or write.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{Keeps, guardian, leftovers};
use crate::service::BackendError;

/// A folder that only its owner can use.
pub(super) const OWNER_ONLY: u32 = 0o700;
/// A folder that everybody can go through and only its owner can look into.
pub(super) const WAY_THROUGH: u32 = 0o711;

/// A temporary folder for what a backend keeps, for this user alone. It goes when it is dropped; if the lab is killed first,
/// its guardian removes it, or else the next lab.
///
/// # Errors
/// [`BackendError`] if there is no place for it, or others could exchange it there.
pub(crate) fn temporary_folder(backend: &'static str, keeps: Keeps) -> Result<tempfile::TempDir, BackendError> {
    let memory = leftovers::memory().filter(|_| keeps == Keeps::InMemory);
    let place = memory.unwrap_or_else(std::env::temp_dir);
    let failed = |what: String, remedy: &str| BackendError { backend, what, remedy: Some(remedy.to_owned()) };
    let cannot = |error: &io::Error| {
        let what = format!("no temporary folder could be made in {}: {error}", place.display());
        failed(what, remedy(error))
    };
    if is_open_to_others(&place).map_err(|error| cannot(&error))? {
        let what = format!("other users can rename folders in {}", place.display());
        return Err(failed(what, "set TMPDIR to a folder that is yours alone, or set its sticky bit (chmod +t)"));
    }
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(leftovers::PREFIX).permissions(PermissionsExt::from_mode(OWNER_ONLY));
    let folder = builder.tempdir_in(&place).map_err(|error| cannot(&error))?;
    leftovers::mark(folder.path()).map_err(|error| cannot(&error))?;
    guardian::watch_folder(folder.path());
    Ok(folder)
}

/// What to do about files that cannot be opened by somebody who does not say why. Of a database that was opened in part, nothing is open
/// any more: so as many files are tried as it has.
pub(crate) fn what_lets_files_be_opened() -> &'static str {
    const FILES: usize = 4;
    let opened: io::Result<Vec<std::fs::File>> = (0..FILES).map(|_| std::fs::File::open("/dev/null")).collect();
    opened.map_or_else(|error| remedy(&error), |_| "set TMPDIR to a folder that can be written")
}

/// The URL of a socket in a folder of the lab's.
///
/// # Errors
/// [`BackendError`] if the path is longer than that of a socket can be.
pub(super) fn socket_url(path: &Path) -> Result<String, BackendError> {
    Ok(format!("unix://{}", socket_path("etcd", path)?))
}

/// The path of a socket in a folder of the lab's.
///
/// # Errors
/// [`BackendError`] if it is longer than that of a socket can be.
pub(super) fn socket_path(backend: &'static str, path: &Path) -> Result<String, BackendError> {
    /// On Linux; elsewhere four fewer.
    const LONGEST: usize = 103;
    let path = path.display().to_string();
    if path.len() > LONGEST {
        let what = format!("'{path}' is too long for a socket, which may have {LONGEST} bytes");
        let remedy = Some("set TMPDIR to a folder with a shorter path".to_owned());
        return Err(BackendError { backend, what, remedy });
    }
    Ok(path)
}

/// Whether users other than this one and root can rename what is in a folder.
fn is_open_to_others(place: &Path) -> io::Result<bool> {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let place = std::fs::metadata(place)?;
    let is_trusted = place.uid() == rustix::process::geteuid().as_raw() || place.uid() == 0;
    Ok(!is_trusted || (place.mode() & WRITABLE_BY_OTHERS != 0 && place.mode() & STICKY == 0))
}

fn remedy(error: &io::Error) -> &'static str {
    let number = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    match number {
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
            "raise the limit of open files (ulimit -n), or lower load.handlers"
        }
        Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
            "free some space there, or set TMPDIR to another folder"
        }
        _ => "set TMPDIR to a folder that can be written",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::is_open_to_others;

    #[test]
    fn a_folder_where_others_can_rename_is_open_unless_it_is_sticky() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, is_open) in [(0o700, false), (0o755, false), (0o775, true), (0o777, true), (0o1777, false)] {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(is_open_to_others(folder.path()).unwrap(), is_open, "{mode:o}");
        }
    }
}
