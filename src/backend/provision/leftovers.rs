//! What a lab that was killed has left behind: the next one stops its servers and removes their folders.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// What the names of backends' folders begin with.
pub(super) const PREFIX: &str = "oncelab-data-";

/// The file that names the lab's process and the server's.
const OWNER: &str = "owner";

/// Fields of proc(5)'s `stat`, counted from behind the command's name: the parent's process id, and the time at which the
/// process began, in the kernel's ticks since it booted.
pub(super) const PARENT: usize = 1;
const STARTED: usize = 19;

/// A process of this machine that cannot be mistaken for another with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lab {
    pid: u32,
    started: String,
}

impl Lab {
    /// This process.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Lab { pid, started: stat(pid, STARTED).unwrap_or_default() }
    }

    /// The process that was written down as `pid started`, if that is what this text is.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.split_once(' ')?;
        Some(Lab { pid: pid.parse().ok()?, started: started.to_owned() })
    }

    /// Whether it is certain that it has ended. Where the kernel does not tell when a process began, nothing is.
    pub(super) fn is_gone(&self) -> bool {
        !self.started.is_empty() && stat(self.pid, STARTED).is_none_or(|started| started != self.started)
    }
}

impl std::fmt::Display for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pid, self.started)
    }
}

/// Notes whose folder this is, and the process whose data it holds, if there is one. Without the note the folder is nobody's, and stays.
pub(super) fn mark(folder: &Path, server: Option<u32>) {
    let _ = fs::write(folder.join(OWNER), format!("{}\n{}", Lab::this(), server.unwrap_or_default()));
}

/// Where folders can be made that are kept in memory, if there is such a place with a gibibyte to spare.
pub(super) fn memory() -> Option<PathBuf> {
    const ROOM: u64 = 1 << 30;
    let place = PathBuf::from("/dev/shm");
    let stat = rustix::fs::statvfs(&place).ok()?;
    (stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM).then_some(place)
}

/// Stops the servers of labs that are gone, and removes their folders.
pub(super) fn remove() {
    let places = std::iter::once(std::env::temp_dir()).chain(memory());
    let folders = places.flat_map(|place| fs::read_dir(place).into_iter().flatten().flatten());
    for folder in folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        remove_if_orphaned(&folder.path());
    }
}

fn remove_if_orphaned(folder: &Path) {
    let note = fs::read_to_string(folder.join(OWNER)).unwrap_or_default();
    let Some((lab, server)) = note.split_once('\n') else { return };
    let (Some(lab), Ok(server)) = (Lab::parse(lab), server.parse::<i32>()) else { return };
    if !lab.is_gone() {
        return;
    }
    // The number may have been given to another process since: only one whose command names this folder is the server.
    let command = fs::read(format!("/proc/{server}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&command).contains(&*folder.to_string_lossy())
        && let Some(server) = Pid::from_raw(server)
    {
        let _ = kill_process(server, Signal::KILL);
    }
    let _ = fs::remove_dir_all(folder);
}

/// A field of a process's `stat`; none if there is no such process, or the kernel does not tell.
pub(super) fn stat(pid: u32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold anything, and ends with the last parenthesis.
    stat.rsplit_once(") ")?.1.split(' ').nth(field).map(str::to_owned)
}
