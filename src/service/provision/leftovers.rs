//! What a lab that was killed together with its guardian has left behind: the next one stops its servers and removes its
//! folders.
//!
//! The place for temporary folders is open to every user, and what lies there is believed only if it is this user's: the
//! folder is opened once, without following a link, and everything is read from where it was opened.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::process::{Pid, Signal, kill_process};

/// What the names of backends' folders begin with.
pub(super) const PREFIX: &str = "oncelab-data-";

/// The file that names the lab's process.
const OWNER: &str = "owner";

/// The file that holds the `stat` of the server's process, as it was when it began.
const SERVER: &str = "server";

/// No note of the lab's is longer, in bytes.
const LONGEST_NOTE: u64 = 1024;

/// Fields of proc(5)'s `stat`, counted from behind the command's name: the parent's process id, and the time at which the
/// process began, in the kernel's ticks since it booted.
pub(super) const PARENT: usize = 1;
const STARTED: usize = 19;

/// A process of this machine that cannot be mistaken for another with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pid: u32,
    started: String,
}

impl Process {
    /// This process.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Process { pid, started: stat(pid, STARTED).unwrap_or_default() }
    }

    /// The process that was written down as `pid started`, if that is what the first line of this text is. Other versions of
    /// the lab, which may run beside this one, write more lines.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.lines().next()?.split_once(' ')?;
        Some(Process { pid: pid.parse().ok()?, started: started.to_owned() })
    }

    /// The process that this line is the `stat` of.
    fn of_stat(line: &str) -> Option<Self> {
        let pid = line.split(' ').next()?.parse().ok()?;
        Some(Process { pid, started: field(line, STARTED)? })
    }

    /// Whether it is certain that it has ended. Where the kernel does not tell when a process began, nothing is.
    pub(super) fn is_gone(&self) -> bool {
        !self.started.is_empty() && stat(self.pid, STARTED).is_none_or(|started| started != self.started)
    }

    /// Whether it is certain that it lives.
    fn is_there(&self) -> bool {
        !self.started.is_empty() && stat(self.pid, STARTED).is_some_and(|started| started == self.started)
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.pid, self.started)
    }
}

/// In which space of process numbers a process runs, and since which boot of its machine: two containers have a process 1 each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Space {
    boot: String,
    space: String,
}

impl Space {
    /// This process's.
    pub(super) fn this() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Space { boot: boot.trim().to_owned(), space: space.display().to_string() }
    }

    /// Whether a process in a space that was written down cannot be seen from here, and may live. None that was there before this machine
    /// was started does.
    fn hides(&self, written: &str) -> bool {
        written.strip_prefix(&self.boot).is_some_and(|space| space.trim_start() != self.space)
    }
}

impl std::fmt::Display for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.boot, self.space)
    }
}

/// Notes whose folder this is. Without the note it is nobody's, and stays.
///
/// # Errors
/// If the note cannot be written.
pub(super) fn mark(folder: &Path) -> io::Result<()> {
    write!(create(&folder.join(OWNER))?, "{}\n{}", Process::this(), Space::this())
}

/// The file that a server's `stat` is written to, empty.
///
/// # Errors
/// If it cannot be made.
pub(super) fn server_note(folder: &Path) -> io::Result<File> {
    create(&folder.join(SERVER))
}

/// A file for this user alone, empty, at a place where there is no link.
///
/// # Errors
/// If it cannot be made.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    File::options().write(true).create(true).truncate(true).mode(0o600).custom_flags(no_follow).open(path)
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

fn remove_if_orphaned(path: &Path) {
    let Some(folder) = own_folder(path) else { return };
    let Some(owner) = note(&folder, OWNER) else { return };
    let Some(lab) = Process::parse(&owner) else { return };
    let is_elsewhere = owner.lines().nth(1).is_some_and(|space| Space::this().hides(space));
    if is_elsewhere || !lab.is_gone() {
        return;
    }
    let server = note(&folder, SERVER).and_then(|line| Process::of_stat(&line));
    if let Some(server) = server.filter(Process::is_there)
        && let Some(pid) = i32::try_from(server.pid).ok().and_then(Pid::from_raw)
    {
        let all = std::iter::once(pid).chain(children(server.pid));
        for pid in all {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let _ = fs::remove_dir_all(path);
}

/// A folder, opened, if it is this user's and nobody else can write there.
fn own_folder(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    is_own(&rustix::fs::fstat(&folder).ok()?).then_some(folder)
}

/// What a note in a folder says, if it is a file of this user's, and no longer than a note.
fn note(folder: &OwnedFd, name: &str) -> Option<String> {
    // Whoever opens a named pipe would wait for somebody to write.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let note = rustix::fs::openat(folder, name, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&note).ok()?;
    if !is_own(&stat) || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut text = String::new();
    File::from(note).take(LONGEST_NOTE).read_to_string(&mut text).ok()?;
    Some(text)
}

fn is_own(stat: &Stat) -> bool {
    let others_write = Mode::WGRP | Mode::WOTH;
    stat.st_uid == rustix::process::geteuid().as_raw() && !Mode::from_raw_mode(stat.st_mode).intersects(others_write)
}

/// The children of a process, where the kernel tells.
pub(super) fn children(parent: u32) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| stat(*pid, PARENT) == Some(parent.to_string());
    pids.filter(is_child).filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}

/// A field of a process's `stat`; none if there is no such process, or the kernel does not tell.
fn stat(pid: u32, number: usize) -> Option<String> {
    field(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, number)
}

fn field(stat: &str, number: usize) -> Option<String> {
    // The command's name may hold anything, and ends with the last parenthesis.
    stat.rsplit_once(") ")?.1.trim_end().split(' ').nth(number).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::{OWNER, PREFIX, Process, SERVER, Space, remove_if_orphaned};

    /// What a lab that is gone writes down as its process.
    const GONE: &str = "1 0";

    fn folder(place: &Path, name: &str) -> PathBuf {
        let folder = place.join(format!("{PREFIX}{name}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
        folder
    }

    fn make_pipe(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[test]
    fn a_folder_whose_lab_is_gone_is_removed_and_one_whose_lab_lives_stays() {
        let place = tempfile::tempdir().unwrap();
        let this = Process::this().to_string();
        let of_an_earlier_version = format!("{this}\n0");
        let here = format!("{GONE}\n{}", Space::this());
        // Numbers of another space of processes, as in a container, say nothing here; those of an earlier boot are of nobody.
        let elsewhere = format!("{GONE}\n{} pid:[1]", Space::this().boot);
        let before_the_boot = format!("{GONE}\n{} pid:[1]", "0".repeat(8));
        for (name, owner, stays) in [
            ("gone", GONE, false),
            ("lives", &this, true),
            ("earlier", &of_an_earlier_version, true),
            ("here", &here, false),
            ("elsewhere", &elsewhere, true),
            ("before", &before_the_boot, false),
        ] {
            let folder = folder(place.path(), name);
            std::fs::write(folder.join(OWNER), owner).unwrap();
            remove_if_orphaned(&folder);
            assert_eq!(folder.exists(), stays, "{name}");
        }
    }

    /// What anybody can put into the place for temporary folders is not waited for, not read to its end, and not believed.
    #[test]
    fn pipes_devices_links_and_folders_that_others_can_write_are_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let (pipe, endless, linked, open, empty) = ("pipe", "endless", "linked", "open", "empty");
        let piped = folder(place.path(), pipe);
        make_pipe(&piped.join(OWNER));
        let endless = folder(place.path(), endless);
        symlink("/dev/zero", endless.join(OWNER)).unwrap();
        let real = place.path().join("elsewhere");
        std::fs::create_dir(&real).unwrap();
        std::fs::write(real.join(OWNER), GONE).unwrap();
        let linked = place.path().join(format!("{PREFIX}{linked}"));
        symlink(&real, &linked).unwrap();
        let open = folder(place.path(), open);
        std::fs::write(open.join(OWNER), GONE).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        let empty = folder(place.path(), empty);
        for folder in [&piped, &endless, &linked, &open, &empty] {
            remove_if_orphaned(folder);
            assert!(folder.exists(), "{}", folder.display());
        }
        assert!(real.join(OWNER).exists());
    }

    #[test]
    fn only_the_process_that_began_when_the_note_says_is_killed() {
        let place = tempfile::tempdir().unwrap();
        let mut server = Command::new("sleep").arg("60").spawn().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
        let (before, began) = stat.rsplit_once(") ").unwrap();
        let mut fields: Vec<&str> = began.split(' ').collect();
        fields[super::STARTED] = "1";
        let another = format!("{before}) {}", fields.join(" "));
        for (name, note, lives) in [("another", &another, true), ("server", &stat, false)] {
            let folder = folder(place.path(), name);
            std::fs::write(folder.join(OWNER), GONE).unwrap();
            std::fs::write(folder.join(SERVER), note).unwrap();
            remove_if_orphaned(&folder);
            assert!(!folder.exists());
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert_eq!(server.try_wait().unwrap().is_none(), lives, "{name}");
        }
    }
}
