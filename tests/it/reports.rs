//! Reports in every form, comparisons, and tables in files: what they hold, and what they say of runs that are not as they should be.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::{oncelab, small_run_of, text};

/// A sweep of few requests, under a name and with prose that would break out of a page if it could.
const SWEPT: &str = r#"
name = "swept"
question = "Is <script>alert(1)</script> & \"this\" escaped?"
analysis = "at-least-once: {{ count(\"at-least-once\", \"duplicate\", at=\"loss=0.2\") }} of {{ acked(\"at-least-once\", at=\"loss=0.2\") }} <b>|"
strategies = ["at-most-once", "at-least-once", "dedup-table"]
baseline = "at-most-once"
repeats = 2
[load]
requests = 120
warmup = 10
[[sweep]]
name = "loss"
keys = ["faults.deaf.store.reply_lost"]
values = [0.0, 0.05, 0.2]
[[faults]]
name = "deaf"
[expect.deaf]
at-least-once = ["duplicate"]
dedup-table = "valid"
"#;

fn swept(folder: &Path) -> PathBuf {
    let file = folder.join("swept.toml");
    std::fs::write(&file, SWEPT).unwrap();
    let output = oncelab(folder, &["run", "swept.toml", "--seed", "4", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    folder.join(summary["dir"].as_str().unwrap())
}

fn report(run: &Path, arguments: &[&str]) -> String {
    let output = oncelab(run, &[&["report", run.to_str().unwrap()], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What a schema has against a document.
fn judged(schema: &str, document: &Value) -> Result<(), String> {
    const NAME: &str = "it.schema.json";
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource(NAME, serde_json::from_str(schema).unwrap()).unwrap();
    let compiled = compiler.compile(NAME, &mut schemas).unwrap();
    schemas.validate(document, compiled).map_err(|error| format!("{error:#}"))
}

pub(crate) fn is_valid(schema: &str, document: &Value) {
    judged(schema, document).unwrap_or_else(|why| panic!("{why}"));
}

pub(crate) const RUN_SCHEMA: &str = include_str!("../../schemas/run.schema.json");
const COMPARE_SCHEMA: &str = include_str!("../../schemas/compare.schema.json");

#[test]
fn a_sweep_is_reported_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let run = swept(folder.path());

    // Three points of three strategies, each twice.
    let document: Value = serde_json::from_str(&report(&run, &["--format", "json"])).unwrap();
    is_valid(RUN_SCHEMA, &document);
    assert_eq!(document["cells"].as_array().unwrap().len(), 9);
    let baseline =
        document["cells"].as_array().unwrap().iter().find(|cell| cell["strategy"] == "at-most-once").unwrap();
    assert_eq!(baseline["ratio_to_baseline"]["median"], 1.0);
    let mut wrong = document.clone();
    wrong["cells"][0]["verdict"] = "fine".into();
    assert!(
        judged(RUN_SCHEMA, &wrong).is_err_and(|why| why.contains("/cells/0/verdict")),
        "the schema rejects nothing"
    );

    let page = report(&run, &["--format", "html"]);
    assert!(page.len() < 2_000_000 && !page.contains("<script>alert") && page.contains("&lt;script&gt;"), "{page}");
    // Nothing is fetched: no address but in links within the page, and in the names of commands.
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="), "{page}");
    assert!(page.contains("class=\"plot\"") && page.contains("href=\"#row-dedup-table\""));

    let csv = report(&run, &["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert!(reader.headers().unwrap().iter().any(|name| name == "duplicate_low"));
    assert_eq!(reader.records().map(Result::unwrap).count(), 9);

    for arguments in [
        vec![],
        vec!["--table", "cost"],
        vec!["--table", "rates"],
        vec!["--table", "waits"],
        vec!["--table", "explored"],
    ] {
        let shown = report(&run, &arguments);
        // A command is never broken, so that it can be copied.
        let long = shown.lines().find(|line| line.chars().count() > 80 && !line.contains("oncelab"));
        assert_eq!(long, None, "{arguments:?}");
    }
    let shown = report(&run, &[]);
    let count = shown.lines().find(|line| line.starts_with("at-least-once: ")).unwrap().to_owned();
    let count = count.split_whitespace().nth(1).unwrap();
    assert!(count.parse::<u64>().is_ok_and(|count| count > 0), "{shown}");
    assert!(report(&run, &["--table", "sweep"]).contains("loss=0.2"));
}

#[test]
fn the_table_for_papers_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let run = swept(folder.path());
    let tables = report(&run, &["--format", "tex"]);
    assert!(tables.contains("\\toprule") && tables.contains("at-least-once"));
    let paper = format!(
        "\\documentclass{{article}}\\usepackage[utf8]{{inputenc}}\\usepackage{{booktabs}}\n\\begin{{document}}\n{tables}\\end{{document}}\n"
    );
    std::fs::write(folder.path().join("paper.tex"), paper).unwrap();
    let tex = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "paper.tex"])
        .current_dir(folder.path())
        .output();
    match tex {
        Ok(output) => assert!(output.status.success(), "{}", text(&output.stdout)),
        Err(error) if std::env::var_os("ONCELAB_REQUIRE_BACKENDS").is_some() => panic!("pdflatex: {error}"),
        Err(error) => eprintln!("SKIPPED the_table_for_papers_compiles: no pdflatex ({error})"),
    }
}

#[test]
fn a_run_compared_with_itself_differs_in_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = swept(folder.path());
    let path = run.to_str().unwrap();
    let output = oncelab(folder.path(), &["compare", path, path, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    is_valid(COMPARE_SCHEMA, &document);
    let rows = document["rows"].as_array().unwrap();
    assert!(rows.len() == 9 && rows.iter().all(|row| row["speed"] == "~" && row["goodput_ratio"] == 1.0), "{document}");
    // Two trials of each cannot show a difference among nine rows.
    assert!(document["warnings"].to_string().contains("raise repeats"), "{document}");
}

#[test]
fn a_guarantee_that_is_broken_decides_and_another_experiment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let before = small_run_of("lost-reply", folder.path(), &["--strategies", "dedup-table", "--seed", "3"]);
    let after = folder.path().join("after");
    copy(&before, &after);
    // A duplicate where there was none, as a broken build would leave it.
    let file = after.join("trials.csv");
    let rows = std::fs::read_to_string(&file).unwrap();
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let mut values: Vec<String> = rows.lines().nth(1).unwrap().split(',').map(str::to_owned).collect();
    let mut set = |name: &str, value: &str| {
        value.clone_into(&mut values[header.iter().position(|column| *column == name).unwrap()])
    };
    set("duplicate", "20");
    set("causes", "duplicate: late landing = 20");
    std::fs::write(&file, format!("{}\n{}\n", header.join(","), values.join(","))).unwrap();
    let compare = |arguments: &[&str]| {
        let output = oncelab(folder.path(), &[&["compare", before.to_str().unwrap()], arguments].concat());
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = compare(&[after.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("valid → invalid") && said.contains("duplicate: 0 % →"), "{said}");

    let other = small_run_of("lost-reply", folder.path(), &["--strategies", "dedup-table", "--set", "load.clients=7"]);
    let (code, said) = compare(&[other.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("load.clients: 32 before, 7 after"), "{said}");
    // Another store or lock service: what it does to speeds is no change of the lab's or of a strategy's.
    for (key, other, option) in [("store", "postgres", "--store"), ("lock", "etcd", "--lock")] {
        let elsewhere = folder.path().join(key);
        copy(&before, &elsewhere);
        let mut meta: Value = serde_json::from_slice(&std::fs::read(elsewhere.join("meta.json")).unwrap()).unwrap();
        let here = meta[key].as_str().unwrap().to_owned();
        meta[key] = other.into();
        std::fs::write(elsewhere.join("meta.json"), meta.to_string()).unwrap();
        let (code, said) = compare(&[elsewhere.to_str().unwrap()]);
        assert_eq!(code, Some(2), "{said}");
        let both = [
            format!("{option} {here} before"),
            format!("{option} {other} after"),
            "`oncelab run lost-reply".to_owned(),
        ];
        assert!(both.iter().all(|part| said.contains(part)), "{said}");
    }
}

/// Gives every trial of a run a goodput: that of its strategy in its repetition, and a little more with each repetition.
fn set_goodput(run: &Path, of: &dyn Fn(&str, u32) -> f64) {
    let file = run.join("trials.csv");
    let mut rows = csv::Reader::from_path(&file).unwrap();
    let header = rows.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(&header).unwrap();
    for row in rows.records().map(Result::unwrap) {
        let mut values: Vec<String> = row.iter().map(str::to_owned).collect();
        let repeat: u32 = values[column("repeat")].parse().unwrap();
        let goodput = of(&values[column("strategy")], repeat) * (1.0 + f64::from(repeat) / 100.0);
        values[column("goodput_per_s")] = goodput.to_string();
        out.write_record(&values).unwrap();
    }
    std::fs::write(file, out.into_inner().unwrap()).unwrap();
}

#[test]
fn a_strategy_that_is_slower_is_told_from_a_machine_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let three = ["--strategies", "at-most-once,at-least-once,dedup-table", "--seed", "3"];
    std::fs::write(
        folder.path().join("plain.toml"),
        SWEPT.split("[[sweep]]").next().unwrap().replace("repeats = 2", "repeats = 8")
            + "[[faults]]\nname = \"deaf\"\n",
    )
    .unwrap();
    let output = oncelab(folder.path(), &[&["run", "plain.toml", "--json"], three.as_slice()].concat());
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let before = folder.path().join(summary["dir"].as_str().unwrap());
    set_goodput(&before, &|_, _| 1000.0);
    let compared = |name: &str, of: &dyn Fn(&str, u32) -> f64| {
        let after = folder.path().join(name);
        copy(&before, &after);
        set_goodput(&after, of);
        let (before, after) = (before.to_str().unwrap(), after.to_str().unwrap());
        let output = oncelab(folder.path(), &["compare", before, after, "--json", "--fail-on-regression"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let speeds = document["rows"].as_array().unwrap().iter().map(|row| row["speed"].as_str().unwrap().to_owned());
        (output.status.code(), speeds.collect::<Vec<_>>(), document["pace"].as_f64().unwrap())
    };
    // Eight and eight trials that do not overlap: p = 2 / 12,870, and times three still far below 0.05.
    let one = compared("one", &|strategy, _| if strategy == "dedup-table" { 800.0 } else { 1000.0 });
    assert_eq!(one, (Some(1), ["~", "~", "slower"].map(str::to_owned).to_vec(), 1.0));
    let all = compared("all", &|_, _| 800.0);
    assert_eq!((all.0, all.1), (Some(0), vec!["~".to_owned(); 3]));
    assert!((all.2 - 0.8).abs() < 1e-9, "{}", all.2);
    // A difference below 5 % is none that matters, however certain.
    let little = compared("little", &|strategy, _| if strategy == "dedup-table" { 960.0 } else { 1000.0 });
    assert_eq!(little.1, vec!["~".to_owned(); 3]);
    // A machine that goes at a third of its speed in half of either run: the slower strategy's best trials are better than the other run's
    // worst, and it is seen all the same.
    let spell = |is_slow: bool| if is_slow { 0.33 } else { 1.0 };
    set_goodput(&before, &|_, repeat| 1000.0 * spell(repeat < 4));
    let hidden = compared("hidden", &|strategy, repeat| {
        spell(repeat >= 4) * if strategy == "dedup-table" { 800.0 } else { 1000.0 }
    });
    assert_eq!(hidden.1, ["~", "~", "slower"].map(str::to_owned).to_vec());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn tables_in_a_file_are_brought_up_to_date_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    small_run_of(
        "lost-reply",
        folder.path(),
        &["--strategies", "at-most-once,dedup-table", "--seed", "3", "--out", "runs"],
    );
    let run = std::fs::read_dir(folder.path().join("runs/lost-reply")).unwrap().next().unwrap().unwrap().file_name();
    let run = format!("runs/lost-reply/{}", run.to_str().unwrap());
    let file = folder.path().join("README.md");
    std::fs::write(&file, format!("# x\n\n<!-- oncelab report {run} --format md --table matrix -->\n\nafter | it\n"))
        .unwrap();
    let splice = |arguments: &[&str]| {
        let output = oncelab(folder.path(), &[&["report", "--splice", "README.md"], arguments].concat());
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = splice(&["--check"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("README.md:4") && said.contains("brings it up to date"), "{said}");
    assert_eq!(splice(&[]).0, Some(0));
    let made = std::fs::read_to_string(&file).unwrap();
    assert!(made.contains("| dedup-table |") && made.ends_with("\n\nafter | it\n"), "{made}");
    assert_eq!(splice(&["--check"]).0, Some(0));
    // One letter of a figure is enough.
    std::fs::write(&file, made.replace("| valid |", "| invalid |")).unwrap();
    assert_eq!(splice(&["--check"]).0, Some(1));
    std::fs::write(&file, "no table here\n").unwrap();
    let (code, said) = splice(&[]);
    assert!(code == Some(2) && said.contains("write `<!-- oncelab report"), "{said}");
    std::fs::write(&file, format!("<!-- oncelab report {run} --tabel matrix -->\n")).unwrap();
    let (code, said) = splice(&[]);
    assert!(code == Some(2) && said.contains("--tabel"), "{said}");
}

#[test]
fn runs_that_are_not_as_they_should_be_say_so_and_nothing_is_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let run = small_run_of("lost-reply", folder.path(), &["--strategies", "dedup-table", "--seed", "3"]);
    let path = run.to_str().unwrap();

    // One trial: no interval, and the page says so.
    let document: Value = serde_json::from_str(&report(&run, &["--format", "json"])).unwrap();
    assert!(document["cells"][0]["goodput"]["low"].is_null(), "{document}");
    assert!(report(&run, &["--format", "html"]).contains("fewer than 3 trials"));

    // A folder of runs is listed.
    let index = text(&oncelab(folder.path(), &["report", "results", "--format", "md"]).stdout);
    assert!(index.contains("| lost-reply |") && index.contains("dedup-table"), "{index}");

    // No trial is finished, as after an early end.
    let csv = std::fs::read_to_string(run.join("trials.csv")).unwrap();
    std::fs::write(run.join("trials.csv"), csv.lines().next().unwrap().to_owned() + "\n").unwrap();
    for format in ["text", "md", "html", "csv", "json", "tex"] {
        report(&run, &["--format", format]);
    }
    assert!(report(&run, &[]).contains("No trial is finished"));
    let compared = oncelab(folder.path(), &["compare", path, path]);
    assert_eq!(compared.status.code(), Some(3), "{}", text(&compared.stdout));
    std::fs::write(run.join("trials.csv"), csv).unwrap();

    // Histories and courses are gone: tables stay, pictures and schedules go.
    std::fs::remove_dir_all(run.join("histories")).unwrap();
    std::fs::remove_dir_all(run.join("courses")).unwrap();
    assert!(report(&run, &["--format", "html"]).contains("dedup-table"));

    // Another schema is refused by its number, and the index tells why.
    let meta = std::fs::read_to_string(run.join("meta.json")).unwrap();
    std::fs::write(run.join("meta.json"), meta.replacen("\"schema\": 3", "\"schema\": 1", 1)).unwrap();
    let refused = oncelab(folder.path(), &["report", path]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("schema version 1"), "{}", text(&refused.stderr));
    let index = text(&oncelab(folder.path(), &["report", "results", "--format", "md"]).stdout);
    assert!(index.contains("cannot be read") && index.contains("schema version 1"), "{index}");

    let wrong = oncelab(folder.path(), &["report", path, "--table", "matrx"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_run_in_which_no_fault_fired_is_inconclusive_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("still.toml"),
        "name = \"still\"\nquestion = \"?\"\nstrategies = [\"dedup-table\"]\n[load]\nrequests = 150\nwarmup = 0\n\
         [[faults]]\nname = \"rare\"\nstore = { reply_lost = 0.0000001 }\n",
    )
    .unwrap();
    let output = oncelab(folder.path(), &["run", "still.toml", "--seed", "1", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["cells"][0]["verdict"], "inconclusive");
    let page = report(&folder.path().join(document["dir"].as_str().unwrap()), &["--format", "html"]);
    assert!(page.contains("No fault fired") && !page.contains("Safest"), "{page}");
}
