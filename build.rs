//! Tells the build which source and which compiler it is made of, for `meta.json`.

use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| answer(Command::new("git").args(arguments));
    let revision = git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    // Without the optional lock git writes no fresher index: that would be a change of its own, and the next build would begin anew.
    let dirty = git(&["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"])
        .is_some_and(|changes| !changes.is_empty());
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = answer(Command::new(rustc).arg("--version")).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=ONCELAB_GIT_REVISION={revision}");
    println!("cargo::rustc-env=ONCELAB_GIT_DIRTY={dirty}");
    println!("cargo::rustc-env=ONCELAB_RUSTC={rustc}");
    for path in ["build.rs", "src", "experiments", "Cargo.toml", "Cargo.lock", ".git/HEAD", ".git/index"] {
        if std::path::Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What a command prints, if it succeeds.
fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
