//! Exit codes say whose fault it is: 70 is a bug of the lab's, and no file, path, name or limit of a user's comes to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::{command, oncelab, small_run_of, text};

/// What was said, if the exit code is not one of these.
fn expect(what: &str, output: &Output, codes: &[i32]) -> String {
    let said = text(&output.stderr);
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{what}: {:?}: {said}", output.status);
    assert!(!said.contains("panicked") && !said.contains('\u{1b}'), "{what}: {said}");
    said
}

#[test]
fn a_place_that_cannot_be_written_is_its_users_to_change() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken"), "a file").unwrap();
    let (long, deep) = ("x".repeat(300), "y/".repeat(3_000));
    for out in ["taken", "taken/below", "/proc/nowhere", "/dev/null", &long, &deep] {
        let output = oncelab(folder.path(), &["run", "quick", "--set", "load.requests=150", "--out", out]);
        let said = expect(out, &output, &[2]);
        assert!(said.contains("cannot be written"), "{out}: {said}");
    }
    let explore = ["explore", "at-least-once", "--schedule", "a? a", "--diagram", "taken/a.svg"];
    let said = expect("--diagram", &oncelab(folder.path(), &explore), &[2]);
    assert!(said.contains("taken/a.svg"), "{said}");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        command(folder.path()).args(["list", "strategies"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    let said = expect("a full disk behind stdout", &output, &[2]);
    assert!(said.contains("cannot write to stdout"), "{said}");
}

#[test]
fn too_few_open_files_are_named_with_the_limit_to_raise() {
    let folder = tempfile::tempdir().unwrap();
    let limited = |script: &str| {
        let oncelab = env!("CARGO_BIN_EXE_oncelab");
        let run = format!("{script}; exec {oncelab} run lost-reply --set load.requests=150 --set repeats=1");
        Command::new("bash").args(["-c", &run]).current_dir(folder.path()).output().unwrap()
    };
    let said = expect("64 open files", &limited("ulimit -n 64"), &[2]);
    assert!(said.contains("ulimit -n") && said.contains("may have 64") && !said.contains("TMPDIR"), "{said}");
    // A limit that anybody may raise is raised; and as many as are asked for are enough.
    expect("a low limit that can be raised", &limited("ulimit -S -n 64"), &[0, 1, 3]);
    let needed = said.split("up to ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    expect("as many as are asked for", &limited(&format!("ulimit -n {needed}")), &[0, 1, 3]);
}

#[test]
fn replays_with_too_few_open_files_are_refused_with_the_figure() {
    let folder = tempfile::tempdir().unwrap();
    let oncelab = env!("CARGO_BIN_EXE_oncelab");
    let limited = |files: &str, strategy: &str| {
        let replay = format!("ulimit -n {files}; exec {oncelab} replay {strategy} a --times 4 --workers 4");
        Command::new("bash").args(["-c", &replay]).current_dir(folder.path()).output().unwrap()
    };
    for files in ["20", "24", "40", "255"] {
        let said = expect("replays with few open files", &limited(files, "etcd-lock"), &[2]);
        assert!(said.contains("4 replays at a time need up to 256 open files"), "{said}");
        assert!(
            said.contains(&format!("may have {files}")) && said.contains("`ulimit -n 256`, or lower --workers"),
            "{said}"
        );
    }
    for strategy in ["etcd-lock", "dedup-table"] {
        expect("as many as are asked for", &limited("256", strategy), &[0]);
    }
}

/// A finished run's files.
fn files(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for inner in ["", "histories", "courses"] {
        for entry in std::fs::read_dir(run.join(inner)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                files.insert(Path::new(inner).join(entry.file_name()), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

/// What can happen to a file.
const DAMAGES: [&str; 9] = ["removed", "empty", "cut", "garbage", "binary", "folder", "pipe", "device", "huge"];

fn damage(path: &Path, whole: &[u8], how: &str) {
    std::fs::remove_file(path).unwrap();
    match how {
        "removed" => {}
        "empty" => std::fs::write(path, "").unwrap(),
        "cut" => std::fs::write(path, &whole[..whole.len() / 2]).unwrap(),
        "garbage" => std::fs::write(path, "\u{1b}[2Jgarbage {").unwrap(),
        "binary" => std::fs::write(path, [0, 255, 254, 10, 128]).unwrap(),
        "folder" => std::fs::create_dir(path).unwrap(),
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "device" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        // It takes no room on the disk.
        "huge" => std::fs::File::create(path).unwrap().set_len(1 << 33).unwrap(),
        how => unreachable!("{how}"),
    }
}

#[test]
fn a_damaged_folder_is_an_error_of_the_folder_whatever_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = small_run_of("lost-reply", folder.path(), &["--strategies", "at-least-once", "--seed", "3"]);
    let dir = run.to_str().unwrap();
    let files = files(&run);
    assert_eq!(files.len(), 9, "{:?}", files.keys());
    let mut seen = 0;
    for (name, whole) in &files {
        let path = run.join(name);
        for how in DAMAGES {
            damage(&path, whole, how);
            let verbs: [&[&str]; 5] = [
                &["report", dir],
                &["report", dir, "--format", "html"],
                &["compare", dir, dir],
                &["lift", dir, "--limit", "1"],
                &["report", dir, "--save"],
            ];
            for arguments in [&["check", dir], verbs[seen % verbs.len()]] {
                let output = oncelab(folder.path(), arguments);
                expect(&format!("{} {how}: {arguments:?}", name.display()), &output, &[0, 1, 2, 3]);
            }
            seen += 1;
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
            for (name, whole) in &files {
                std::fs::write(run.join(name), whole).unwrap();
            }
        }
    }
    assert_eq!(seen, 9 * 9);
    assert_eq!(oncelab(folder.path(), &["check", dir]).status.code(), Some(0), "it is whole again");
}

#[test]
fn a_folder_that_is_none_is_an_error_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let long = "x".repeat(5_000);
    for dir in ["nowhere", "file", "empty", "/dev/zero", &long, "\u{1b}[2J"] {
        let verbs: [&[&str]; 7] = [
            &["check", dir],
            &["report", dir],
            &["report", dir, "--save"],
            &["compare", dir, dir],
            &["lift", dir],
            &["run", "--resume", dir],
            &["report", "--splice", dir],
        ];
        for arguments in verbs {
            expect(&format!("{arguments:?}"), &oncelab(folder.path(), arguments), &[2]);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is made");
}

#[test]
fn long_names_and_paths_are_refused_before_anything_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(300);
    let experiment = |name: &str, level: &str| {
        format!("name = \"{name}\"\nquestion = \"?\"\nstrategies = [\"dedup-table\"]\n[[faults]]\nname = \"{level}\"\n")
    };
    for (name, level, part) in [
        (&*long, "a", "300 letters"),
        ("a", &long, "300 letters"),
        ("-a", "b", "begin with a letter"),
        ("a", "b c", "letters, digits"),
    ] {
        std::fs::write(folder.path().join("mine.toml"), experiment(name, level)).unwrap();
        let said = expect(name, &oncelab(folder.path(), &["run", "mine.toml"]), &[2]);
        assert!(said.contains("mine.toml:") && said.contains(part), "{said}");
    }
    for name in [format!("{long}.toml"), "y/".repeat(3_000), long.clone()] {
        expect(&name, &oncelab(folder.path(), &["run", &name]), &[2]);
    }
    for option in ["--strategies", "--faults", "--set", "--at"] {
        expect(option, &oncelab(folder.path(), &["run", "quick", option, &long]), &[2]);
    }
    assert!(!folder.path().join("results").exists(), "nothing is begun");
}
