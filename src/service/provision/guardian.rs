//! The guardian: a process beside the lab that waits until the lab has ended, in whatever way, and then stops the servers
//! and removes the folders and containers that are still there. So also SIGKILL leaves nothing behind.
//!
//! It is a shell that reads from a pipe. The lab tells it what to watch over, a line each; when the lab ends, the kernel
//! closes the pipe.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the guardian does. A folder is removed after the server in it, whose line of proc(5)'s `stat` is in the file
/// `server`: one with the same number that began at another time is not it.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT PIPE
cd /
label=
while IFS= read -r line; do
    case $line in
        'folder '*) set -- "$@" "${line#folder }" ;;
        'label '*) label=${line#label } ;;
    esac
done
stat() { IFS= read -r stat <"$1" || return 1; set -- $stat; pid=$1 parent=$4 began=${22:-}; } 2>/dev/null
children() {
    for file in /proc/[0-9]*/stat; do
        stat "$file" && [ "$parent" = "$1" ] && echo "$pid"
    done
}
servers= all=
for folder do
    stat "$folder/server" || continue
    server=$pid then=$began
    stat "/proc/$server/stat" && [ "$began" = "$then" ] || continue
    servers="$servers $server" all="$all $server $(children "$server")"
done
# All at once, so that many take no longer than one.
if [ -n "$servers" ]; then
    kill -CONT $all 2>/dev/null
    kill -QUIT $servers 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        alive=
        for server in $servers; do kill -0 "$server" 2>/dev/null && alive=yes; done
        [ -n "$alive" ] || break
        sleep 0.05
    done
    kill -KILL $all 2>/dev/null
fi
[ -n "$label" ] && command -v docker >/dev/null || label=
containers() { [ -z "$label" ] || docker ps -aq --filter "label=$label" | while read -r id; do docker rm -fv "$id"; done; }
containers
for folder do [ -d "$folder" ] && rm -rf "$folder"; done
[ -n "$label" ] || exit 0
# What was being made when the lab ended is there a moment later.
for _ in 1 2; do
    sleep 1
    containers
done
"#;

static GUARDIAN: OnceLock<Option<Mutex<ChildStdin>>> = OnceLock::new();

/// Has this folder removed when the lab has ended, after the server whose data is in it was stopped.
pub(super) fn watch_folder(folder: &Path) {
    // A line each.
    if let Some(folder) = folder.to_str().filter(|folder| !folder.contains('\n')) {
        tell(&format!("folder {folder}\n"));
    }
}

/// Has every container with this label removed when the lab has ended.
#[cfg(feature = "containers")]
pub(super) fn watch_label(label: &str) {
    tell(&format!("label {label}\n"));
}

/// Without a guardian, which needs a shell, the next run removes what is left.
fn tell(line: &str) {
    if let Some(guardian) = GUARDIAN.get_or_init(start) {
        let _ = guardian.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

fn start() -> Option<Mutex<ChildStdin>> {
    let mut shell = Command::new("/bin/sh");
    // A signal for the lab from the terminal is not for the guardian, which begins its work when the lab has ended.
    shell.args(["-c", SCRIPT]).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().ok()?.stdin.take().map(Mutex::new)
}
