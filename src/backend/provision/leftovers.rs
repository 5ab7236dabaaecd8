//! What a lab that was killed has left behind: the next one stops its servers and removes their folders.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// What the names of servers' folders begin with.
pub(super) const PREFIX: &str = "oncelab-server-";

/// The file that names the lab's process and the server's.
const OWNER: &str = "owner";

/// Notes whose server this is, in its folder. Without the note the folder is nobody's, and stays.
pub(super) fn mark(folder: &Path, server: u32) {
    let lab = std::process::id();
    let _ = fs::write(folder.join(OWNER), format!("{lab} {} {server}", started(lab).unwrap_or_default()));
}

/// Stops the servers of labs that are gone, and removes their folders.
pub(super) fn remove() {
    let folders = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for folder in folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        remove_if_orphaned(&folder.path());
    }
}

fn remove_if_orphaned(folder: &Path) {
    let note = fs::read_to_string(folder.join(OWNER)).unwrap_or_default();
    let [lab, lab_started, server] = note.split(' ').collect::<Vec<_>>()[..] else { return };
    // A process number may have been given to another since: only one that began then is the lab, and only one whose
    // command names this folder is its server.
    let (Ok(lab), Ok(server)) = (lab.parse(), server.parse::<i32>()) else { return };
    // Where the kernel does not tell when a process began, nobody can tell whose the folder is.
    if lab_started.is_empty() || started(lab).is_some_and(|started| started == lab_started) {
        return;
    }
    let command = fs::read(format!("/proc/{server}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&command).contains(&*folder.to_string_lossy())
        && let Some(server) = Pid::from_raw(server)
    {
        let _ = kill_process(server, Signal::KILL);
    }
    let _ = fs::remove_dir_all(folder);
}

/// When a process began, in the kernel's ticks since it booted; none if there is no such process.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The 22nd field of proc(5), counted from behind the command's name, which may hold anything but ends with the last
    // parenthesis.
    stat.rsplit_once(") ")?.1.split(' ').nth(19).map(str::to_owned)
}
