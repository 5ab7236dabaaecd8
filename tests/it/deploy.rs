//! The files of `deploy/` keep their word: their commands are taken, their figures agree, and a finding is no failure of a task.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::{command, text};
use crate::documents::{read, root};

/// Every file below a folder of the package, by its path from the root.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The lines of a file that a shell gets, without comments, and with the lines that a backslash continues as one.
fn lines_of_shell(path: &str) -> Vec<String> {
    let text = read(path).text.replace("\\\n", " ");
    let is_document = Path::new(path).extension().is_some_and(|extension| extension == "md");
    let mut is_shell = !is_document;
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        if is_document && line.starts_with("```") {
            is_shell = line == "```sh";
        } else if is_shell && !line.starts_with('#') {
            lines.push(line.split(" #").next().unwrap().to_owned());
        }
    }
    lines
}

/// What becomes of a word with variables: each of them is 1.
fn with_values(line: &str) -> String {
    let (mut filled, mut rest) = (String::new(), line);
    while let Some((before, after)) = rest.split_once('$') {
        filled += before;
        let end = match after.as_bytes().first() {
            Some(b'{') => after.find('}').unwrap() + 1,
            Some(b'@' | b'$' | b'?' | b'#') => 1,
            _ => after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len()),
        };
        // All further arguments may be none.
        filled += if after.starts_with('@') { "" } else { "1" };
        rest = &after[end..];
    }
    filled + rest
}

/// The command line of the lab in a line of shell: up to what ends a command.
fn command_line(line: &str) -> Option<Vec<String>> {
    let at = line.match_indices("oncelab ").map(|(at, _)| at).find(|at| {
        let verb = line[at + 8..].split_whitespace().next();
        let before = line[..*at].chars().next_back();
        before.is_none_or(|c| c == ' ' || c == '/')
            && verb.is_some_and(|verb| ["run", "merge", "check"].contains(&verb))
    })?;
    let filled = with_values(&line[at..]);
    let words = filled.split([';', '&', '|', '#']).next().unwrap().split_whitespace();
    Some(words.map(|word| word.replace('"', "")).filter(|word| !word.is_empty()).collect())
}

#[test]
fn the_command_line_takes_every_command_of_deploy() {
    let mut seen = Vec::new();
    for path in files("deploy") {
        for line in lines_of_shell(&path) {
            let Some(words) = command_line(&line) else { continue };
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if let Err(why) = oncelab::cli::accepts(&words) {
                panic!("{path}: {line}: {why}");
            }
            seen.push(words[1..].join(" "));
        }
    }
    // By hand 2, the script 2, and the merge of each engine.
    assert_eq!(seen.len(), 7, "{seen:#?}");
    let begins = seen.iter().filter(|line| line.contains("--shard"));
    assert_eq!(begins.filter(|line| line.contains("--seed")).count(), 2, "{seen:#?}");
}

#[test]
fn the_experiments_that_deploy_names_are_there() {
    let known = oncelab::experiment::builtin_names();
    let mut named = Vec::new();
    for path in files("deploy") {
        for line in lines_of_shell(&path) {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Experiment, seed, and the numbers of shards.
            match words[..] {
                ["deploy/slurm/submit", experiment, seed, shards, _, ..]
                | ["deploy/shard", experiment, seed, _, shards, _, ..] => {
                    assert!(seed.parse::<u64>().is_ok() && shards.parse::<u16>().is_ok(), "{path}: {line}");
                    named.push(experiment.to_owned());
                }
                _ => {}
            }
        }
    }
    named.push(variable(&read("deploy/kubernetes/shards.yaml").text, "EXPERIMENT"));
    named.push(value(&read("deploy/github-actions/oncelab.yml").text, "default"));
    assert_eq!(named.len(), 5, "{named:?}");
    for name in named {
        assert!(name == "--all" || known.contains(&name.as_str()), "{name}");
    }
}

/// The value of a key that a manifest has once or first.
fn value(manifest: &str, key: &str) -> String {
    let of =
        |line: &str| Some(line.trim_start_matches([' ', '-']).strip_prefix(key)?.strip_prefix(':')?.trim().to_owned());
    let value = manifest.lines().find_map(of).unwrap_or_else(|| panic!("no {key}"));
    value.trim_matches('"').to_owned()
}

/// The value of a variable of a container.
fn variable(manifest: &str, name: &str) -> String {
    let begins = format!("{{name: {name}, value: ");
    let (_, after) = manifest.split_once(&begins).unwrap_or_else(|| panic!("no variable {name}"));
    after.split('}').next().unwrap().trim_matches('"').to_owned()
}

#[test]
fn the_job_of_kubernetes_makes_each_shard_once() {
    let shards = read("deploy/kubernetes/shards.yaml").text;
    assert_eq!(value(&shards, "completionMode"), "Indexed");
    let n = value(&shards, "completions");
    assert!(n.parse::<u16>().unwrap() > 1);
    assert_eq!(value(&shards, "parallelism"), n);
    assert_eq!(variable(&shards, "SHARDS"), n);
    // The seed is a figure in the file, the same for all.
    assert!(variable(&shards, "SEED").parse::<u64>().is_ok());
    // The index is counted from 0, and a shard from 1.
    let command = "exec shard \"$EXPERIMENT\" \"$SEED\" \"$((JOB_COMPLETION_INDEX + 1))\" \"$SHARDS\" \"/runs/$RUN\"";
    assert!(shards.contains(&format!("- {command}\n")));
}

#[test]
fn a_pod_that_is_lost_is_tried_again_and_stops_no_other_shard() {
    let shards = read("deploy/kubernetes/shards.yaml").text;
    // The API server takes a policy for failures with this one only.
    assert_eq!(value(&shards, "restartPolicy"), "Never");
    assert!(value(&shards, "backoffLimitPerIndex").parse::<u16>().unwrap() >= 1);
    let policy = shards.split_once("podFailurePolicy:").unwrap().1.split_once("template:").unwrap().0;
    let rule = policy.split_once("- action: Ignore").unwrap().1;
    assert!(rule.contains("type: DisruptionTarget") && rule.contains("status: \"True\""), "{rule}");
    // Each of them would end the whole Job, or a shard, by an exit code or by the first shard that fails.
    for ends in ["FailJob", "FailIndex", "maxFailedIndexes", "onExitCodes", "backoffLimit:"] {
        assert!(!shards.contains(ends), "{ends}");
    }
    // The verdict of the merge is said once.
    assert_eq!(value(&read("deploy/kubernetes/merge.yaml").text, "backoffLimit"), "0");
}

#[test]
fn the_manifests_of_kubernetes_mean_the_same_image_volume_and_folder() {
    let [shards, merge, volume] =
        ["shards", "merge", "volume"].map(|name| read(&format!("deploy/kubernetes/{name}.yaml")).text);
    assert_eq!(variable(&shards, "RUN"), variable(&merge, "RUN"));
    assert_eq!(value(&shards, "image"), value(&merge, "image"));
    let claimed = format!("persistentVolumeClaim: {{claimName: {}}}", value(&volume, "name"));
    assert!(shards.contains(&claimed) && merge.contains(&claimed));
    assert!(volume.contains("ReadWriteMany"));
    let image = value(&shards, "image");
    for path in ["deploy/kubernetes/Dockerfile", "deploy/kubernetes/README.md"] {
        assert!(read(path).text.contains(&format!("docker build --tag {image} ")), "{path}");
    }
    // The script that the pods call is in the image.
    let image = read("deploy/kubernetes/Dockerfile").text;
    assert!(image.contains("\nCOPY target/release/oncelab deploy/shard /usr/local/bin/\n"));
}

#[test]
fn the_workflow_makes_each_shard_once_and_merges_also_after_a_failure() {
    let workflow = read("deploy/github-actions/oncelab.yml").text;
    let list = value(workflow.split_once("matrix:").unwrap().1, "shard");
    let shards = list.trim_matches(['[', ']']).split(", ").map(|number| number.parse::<usize>().unwrap());
    let shards: Vec<usize> = shards.collect();
    assert!(shards.len() > 1 && shards.iter().copied().eq(1..=shards.len()), "{list}");
    assert_eq!(value(&workflow, "SHARD"), "${{ matrix.shard }}");
    assert_eq!(value(&workflow, "SHARDS"), "${{ strategy.job-total }}");
    assert_eq!(value(&workflow, "SEED"), "${{ inputs.seed }}");
    assert!(workflow.contains("deploy/shard \"$EXPERIMENT\" \"$SEED\" \"$SHARD\" \"$SHARDS\" runs\n"));
    assert_eq!(value(&workflow, "fail-fast"), "false");
    let merge = workflow.split_once("\n  merge:\n").unwrap().1;
    assert_eq!(value(merge, "if"), "${{ !cancelled() && needs.build.result == 'success' }}");
    assert_eq!(value(merge, "needs"), "[build, shard]");
    // Small by default.
    let histories = workflow.split_once("\n      histories:\n").unwrap().1;
    assert_eq!(value(histories, "default"), "false");
    assert!(workflow.contains("${{ !inputs.histories && '!runs/**/histories/**' || '' }}"));
    assert!(merge.contains("path: merged/report.html\n"));
    // What a user types stands in no script: only variables of the environment do.
    let scripts = workflow.split("- run:").skip(1).map(|rest| rest.split("      - uses:").next().unwrap());
    let scripts: Vec<&str> = scripts.collect();
    assert_eq!(scripts.len(), 3, "{scripts:?}");
    assert!(scripts.iter().all(|script| !script.contains("${{")), "{scripts:?}");
}

/// A program for a test, in a folder that is put before the PATH.
fn stand_in(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a script of `deploy/` in a folder, with the programs of this folder before all others.
fn deployed(programs: &Path, folder: &Path, script: &str, arguments: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(root().join("deploy").join(script));
    command.args(arguments).current_dir(folder).env("PATH", format!("{}:{path}", programs.display()));
    command.output().unwrap()
}

#[test]
fn a_finding_is_no_failure_of_a_task() {
    let folder = tempfile::tempdir().unwrap();
    // What `oncelab --help` lists.
    for (code, expected) in [(0, 0), (1, 0), (3, 0), (2, 2), (4, 4), (70, 70), (130, 130)] {
        stand_in(folder.path(), "oncelab", &format!("exit {code}"));
        let ended = deployed(folder.path(), folder.path(), "shard", &["quick", "42", "1", "4", "runs"]);
        assert_eq!(ended.status.code(), Some(expected), "{code}: {ended:?}");
    }
    let few = deployed(folder.path(), folder.path(), "shard", &["quick", "42", "1", "4"]);
    assert_eq!(few.status.code(), Some(2));
    assert!(text(&few.stderr).contains("EXPERIMENT SEED SHARD SHARDS OUT"), "{few:?}");
}

#[test]
fn a_shard_begins_once_and_then_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    stand_in(folder.path(), "oncelab", "printf '<%s>' \"$@\"");
    let shard = || {
        let arguments = ["quick", "42", "2", "4", "all runs", "--set", "load.requests=150", "--use", "a=b c", "--at=x"];
        text(&deployed(folder.path(), folder.path(), "shard", &arguments).stdout)
    };
    let begins = "<run><quick><--seed><42><--shard><2/4><--out><all runs/shard-2><--set><load.requests=150><--use><a=b c><--at=x>";
    assert_eq!(shard(), begins);
    // A folder that is no run yet, and the run of another shard.
    for path in ["all runs/shard-2/quick/dead", "all runs/shard-1/quick/other"] {
        std::fs::create_dir_all(folder.path().join(path)).unwrap();
    }
    std::fs::write(folder.path().join("all runs/shard-1/quick/other/meta.json"), "{}").unwrap();
    assert_eq!(shard(), begins);
    std::fs::create_dir_all(folder.path().join("all runs/shard-2/quick/here")).unwrap();
    std::fs::write(folder.path().join("all runs/shard-2/quick/here/meta.json"), "{}").unwrap();
    let goes_on = shard();
    // The run remembers its settings, and is told again where its servers are.
    assert!(goes_on.ends_with("\n<run><--resume><all runs/shard-2/quick/here><--use><a=b c>"), "{goes_on}");
}

#[test]
fn a_signal_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    // As Slurm does: the signal goes to each process, and the lab needs a moment to save what is finished.
    stand_in(
        folder.path(),
        "oncelab",
        "trap 'sleep 0.3; echo saved; exit 130' TERM; touch begun; while :; do sleep 0.05; done",
    );
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("setsid");
    command.arg(root().join("deploy/shard")).args(["quick", "42", "1", "4", "runs"]).current_dir(folder.path());
    command.env("PATH", format!("{}:{path}", folder.path().display())).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    while !folder.path().join("begun").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stdout).as_str()), (Some(130), "saved\n"));
}

#[test]
fn submit_asks_slurm_for_an_array_and_a_merge_that_waits_for_its_end() {
    let folder = tempfile::tempdir().unwrap();
    // The number of a job may come with the name of a cluster.
    stand_in(folder.path(), "sbatch", "printf '<%s>' \"$@\" >>asked.txt; echo >>asked.txt; echo '71;main'");
    let submit = |arguments: &[&str]| deployed(folder.path(), folder.path(), "slurm/submit", arguments);
    let small = ["quick", "42", "8", "runs", "--set", "load.requests=150"];
    let first = submit(&small);
    assert_eq!((first.status.code(), text(&first.stdout).as_str()), (Some(0), "array 71\nmerge 71\n"), "{first:?}");
    let asked = || std::fs::read_to_string(folder.path().join("asked.txt")).unwrap();
    let lines: Vec<String> = asked().lines().map(str::to_owned).collect();
    let (deploy, runs) = (root().join("deploy"), folder.path().canonicalize().unwrap().join("runs"));
    let (deploy, runs) = (deploy.display(), runs.display());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        lines[0],
        format!(
            "<--parsable><--array=1-8><--output={runs}/log/shard-%a.txt><{deploy}/slurm/array.sh><{deploy}/shard>\
             <quick><42><8><{runs}><--set><load.requests=150>"
        )
    );
    assert_eq!(
        lines[1],
        format!(
            "<--parsable><--dependency=afterany:71><--output={runs}/log/merge.txt><{deploy}/slurm/merge.sh><{runs}>"
        )
    );
    // The same again goes on; what is another run does not get into this one, and a merged run stays.
    assert_eq!(submit(&small).status.code(), Some(0));
    for other in [["quick", "43", "8"], ["quick", "42", "9"], ["lost-reply", "42", "8"], ["quick", "42", "8"]] {
        let refused = submit(&[other[0], other[1], other[2], "runs"]);
        assert_eq!(refused.status.code(), Some(2), "{other:?}");
        assert!(
            text(&refused.stderr).contains("belongs to another run (quick 42 8 --set load.requests=150)"),
            "{refused:?}"
        );
    }
    std::fs::create_dir(folder.path().join("runs/merged")).unwrap();
    let refused = submit(&small);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("runs/merged is there already: remove it"), "{refused:?}");
    assert_eq!(submit(&["quick", "42", "8"]).status.code(), Some(2));
    assert_eq!(asked().lines().count(), 4);
}

#[test]
fn a_task_of_the_array_comes_again_and_makes_the_shard_of_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let script = read("deploy/slurm/array.sh").text;
    for line in ["#SBATCH --requeue\n", "#SBATCH --open-mode=append\n"] {
        assert!(script.contains(line), "{line}");
    }
    // Slurm reads them up to the first command.
    assert!(script.rfind("\n#SBATCH").unwrap() < script.find("\nset -eu\n").unwrap());
    stand_in(folder.path(), "make", "printf '<%s>' \"$@\"");
    let make = folder.path().join("make");
    let mut task = Command::new("sh");
    task.arg(root().join("deploy/slurm/array.sh")).arg(make).args(["quick", "42", "8", "runs", "--set", "a=b c"]);
    let printed = task.env("SLURM_ARRAY_TASK_ID", "5").output().unwrap();
    assert_eq!(text(&printed.stdout), "<quick><42><5><8><runs><--set><a=b c>");
}

/// With the lab itself.
#[test]
fn shards_made_by_hand_are_merged_into_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_oncelab")).parent().unwrap();
    let strategies = "dedup-table,at-least-once,check-then-act";
    let small =
        ["--strategies", strategies, "--set", "load.requests=150", "--set", "load.warmup=10", "--set", "repeats=1"];
    for shard in ["1", "2"] {
        let arguments = [&["lost-reply", "42", shard, "2", "runs"], &small[..]].concat();
        let made = deployed(programs, folder.path(), "shard", &arguments);
        assert_eq!(made.status.code(), Some(0), "{made:?}");
    }
    let mut merge = Command::new("sh");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    merge.arg(root().join("deploy/slurm/merge.sh")).arg("runs").current_dir(folder.path()).env("PATH", path);
    let merged = merge.output().unwrap();
    assert!(merged.status.code().is_some_and(|code| [0, 1, 3].contains(&code)), "{merged:?}");
    let run: PathBuf = folder.path().join("runs/merged");
    assert!(run.join("report.html").is_file());
    let checked = command(folder.path()).arg("check").arg(&run).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}
