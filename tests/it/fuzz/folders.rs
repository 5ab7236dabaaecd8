//! The folder of a run, changed in one or two of its files: read in this process, and by the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use oncelab::lab::audit;
use oncelab::report::{Facts, Shown, document, matrix, to_html, to_text};
use oncelab::results::{Course, RunFolder, Schedules, Summary};

use super::mutator::Mutator;
use super::targets::{REGISTRY, fast_folder, judged};
use super::{LONGEST, inputs, is_tried, number, seed, try_all};
use crate::common::{oncelab, text};

/// A small run's files, each with its path in the folder.
pub struct Run {
    files: Vec<(PathBuf, Vec<u8>)>,
}

pub static RUN: LazyLock<Run> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let strategies = "at-least-once,check-then-act-transaction,etcd-lock-fenced-marker";
    let arguments = ["run", "lost-reply", "--seed", "3", "--strategies", strategies, "--json"];
    let small = ["--set", "load.requests=16", "--set", "load.warmup=2", "--set", "repeats=1"];
    let output = oncelab(folder.path(), &[&arguments[..], &small].concat());
    let summary: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let run = folder.path().join(summary["dir"].as_str().unwrap());
    let mut files = BTreeMap::new();
    for inner in ["", "histories", "courses"] {
        for entry in std::fs::read_dir(run.join(inner)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                files.insert(Path::new(inner).join(entry.file_name()), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    Run { files: files.into_iter().collect() }
});

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

impl Run {
    /// The histories as they are on the disk.
    pub fn histories(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().filter(|(path, _)| is_packed(path)).map(|(_, bytes)| bytes.as_slice())
    }

    /// Writes all of it into a folder.
    fn write(&self, folder: &Path) {
        for inner in ["histories", "courses"] {
            std::fs::create_dir_all(folder.join(inner)).unwrap();
        }
        self.files.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
    }

    /// A file's number and what it holds instead: of any file, or only of those that results are read from.
    fn changed(&self, mutator: &mut Mutator, any: bool) -> (usize, Vec<u8>) {
        let is_read =
            |path: &Path| !["report.md", "report.html", "summary.json"].iter().any(|name| path.ends_with(name));
        let numbers: Vec<usize> = (0..self.files.len()).filter(|n| any || is_read(&self.files[*n].0)).collect();
        let number = numbers[mutator.below(numbers.len())];
        let (path, bytes) = &self.files[number];
        if mutator.below(12) == 0 {
            return (number, mutator.bytes(bytes.clone()));
        }
        let unpacked = |path: &Path, bytes: &[u8]| {
            if is_packed(path) { text(&zstd::decode_all(bytes).unwrap()) } else { text(bytes) }
        };
        let (whole, another) = (unpacked(path, bytes), &self.files[numbers[mutator.below(numbers.len())]]);
        let others = [whole.clone(), unpacked(&another.0, &another.1)];
        let changed = mutator.text(&whole, &others.iter().map(String::as_str).collect::<Vec<_>>());
        (number, if is_packed(path) { zstd::encode_all(&*changed, 1).unwrap() } else { changed })
    }
}

/// Reads everything in a folder, as the verbs do.
fn read(folder: &Path) -> bool {
    let Ok(run) = RunFolder::open(folder, &REGISTRY) else { return false };
    let agrees = audit(&run, &REGISTRY).is_ok_and(|audit| audit.disagreements.is_empty());
    let Ok(summary) = Summary::new("dir".to_owned(), &run.meta, &run.experiment, run.rows(), &REGISTRY) else {
        return false;
    };
    let schedules: Schedules = run.read_json("schedules.json").ok().filter(Schedules::is_sound).unwrap_or_default();
    let summary = summary.with_schedules(&schedules);
    let facts = Facts::new(&summary, &run.experiment, run.rows(), &REGISTRY);
    let course = |trial: &String| Some((trial.clone(), run.course(trial).ok()?));
    let courses: BTreeMap<String, Course> = run.rows().iter().filter_map(|row| course(&row.trial)).collect();
    let shown = Shown {
        summary: &summary,
        facts: &facts,
        experiment: &run.experiment,
        meta: &run.meta,
        schedules: &schedules,
        rows: run.rows(),
        courses,
        stories: Vec::new(),
    };
    let reports = document(&shown) + &to_html(&shown) + &to_text(&matrix(&summary), 80);
    assert!(!reports.is_empty());
    run.rows().iter().filter_map(|row| run.history(&row.trial).ok()).for_each(|saved| judged(&saved));
    agrees
}

#[test]
fn a_folder_is_read_or_refused() {
    let folder = fast_folder();
    RUN.write(folder.path());
    assert!(read(folder.path()), "it is whole");
    let draw = |mutator: &mut Mutator| {
        let (number, bytes) = RUN.changed(mutator, false);
        [vec![u8::try_from(number).unwrap()], bytes].concat()
    };
    let target = |input: &[u8]| {
        let (number, bytes) = input.split_first().unwrap();
        let (name, whole) = &RUN.files[usize::from(*number)];
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let agrees = read(folder.path());
        std::fs::write(&path, whole).unwrap();
        agrees
    };
    is_tried(&try_all("folder", inputs(200), draw, target));
}

/// What the command line has ended with: each exit code, and how often.
type Ends = BTreeMap<i32, u64>;

/// Runs a verb on a folder, and adds its end.
fn run_verb(folder: &Path, arguments: &[&str], what: &dyn Fn() -> String, ends: &mut Ends) {
    let began = std::time::Instant::now();
    let output = oncelab(folder, arguments);
    let took = began.elapsed();
    let said = text(&output.stderr);
    let code = output.status.code().unwrap_or_else(|| panic!("{}: {arguments:?}: {:?}: {said}", what(), output.status));
    assert!(![70, 101].contains(&code), "{}: {arguments:?}: {code}: {said}", what());
    assert!(took < LONGEST, "{}: {arguments:?}: {took:?}", what());
    *ends.entry(code).or_default() += 1;
}

#[test]
fn the_command_line_ends_in_order_on_a_changed_folder() {
    let folders = number("ONCELAB_FUZZ_FOLDERS").unwrap_or(30);
    let folder = fast_folder();
    let run = folder.path().join("run");
    RUN.write(&run);
    let verbs: [&[&str]; 6] = [
        &["check", "run"],
        &["report", "run"],
        &["report", "run", "--format", "html"],
        &["compare", "run", "run"],
        &["report", "run", "--table", "cost", "--format", "tex"],
        &["check", "run", "--json"],
    ];
    let mut ends = Ends::new();
    for number in 0..folders {
        // Another stream than those of the other targets.
        let mut mutator = Mutator::new(seed() ^ 0xf01d, number);
        let changes: Vec<(usize, Vec<u8>)> = (0..=mutator.below(2)).map(|_| RUN.changed(&mut mutator, true)).collect();
        for (number, bytes) in &changes {
            std::fs::write(run.join(&RUN.files[*number].0), bytes).unwrap();
        }
        let what = || {
            let names: Vec<String> =
                changes.iter().map(|(number, _)| RUN.files[*number].0.display().to_string()).collect();
            format!("folder {number} of seed {}, with other {}", seed(), names.join(" and "))
        };
        let verb = mutator.below(verbs.len());
        run_verb(folder.path(), verbs[verb], &what, &mut ends);
        for (number, _) in &changes {
            let (name, whole) = &RUN.files[*number];
            std::fs::write(run.join(name), whole).unwrap();
        }
    }
    println!("command line: {folders} folders, exit codes {ends:?}");
    assert!(ends.len() >= 2 || folders < 10, "{ends:?}");
}
