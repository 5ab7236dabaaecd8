//! Shards of `conform` and `evidence`: the parts make the whole, and what is no part is refused.

use std::path::Path;

use oncelab::explore::{Bound, Flaws, Kinds, each_class};
use oncelab::replay::ClassDigest;
use oncelab::strategy::Registry;
use serde_json::Value;

use crate::common::{oncelab, text};

/// What the lab prints as a document.
fn document(folder: &Path, words: &[&str]) -> Value {
    let output = oncelab(folder, words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// The only strategy of a document.
fn only(document: &Value) -> &Value {
    let [row] = document["strategies"].as_array().unwrap().as_slice() else { panic!("{document}") };
    row
}

fn digest(row: &Value) -> u128 {
    u128::from_str_radix(row["digest"].as_str().unwrap(), 16).unwrap()
}

#[test]
fn the_shards_of_a_strategy_replay_each_class_once() {
    let folder = tempfile::tempdir().unwrap();
    let bound = ["--lanes", "2", "--retries", "1", "--faults", "1", "--json"];
    // By a walk through all classes, here.
    let strategy = Registry::default().get("claim-lease").unwrap();
    let whole_bound = Bound { kinds: Kinds::all(), store: oncelab::terms::Profile::Sqlite, ..Bound::new(2, 1, 1) };
    let mut whole = ClassDigest::default();
    let classes = each_class(strategy.as_ref(), whole_bound, Flaws::default(), |schedule| {
        whole.add(schedule);
        true
    });
    let classes = classes.unwrap();
    assert!(classes > 100, "{classes}");
    let conform = |words: &[&str]| document(folder.path(), &[&["conform", "claim-lease"][..], words, &bound].concat());
    let dry = conform(&["--dry-run"]);
    let row = only(&dry);
    assert_eq!((&row["classes"], &row["selected"], &dry["shard"]), (&classes.into(), &classes.into(), &Value::Null));
    assert_eq!(row["digest"], whole.to_string());
    let (mut sum, mut end, mut sizes) = (0_u128, 0, Vec::new());
    for shard in ["1/3", "2/3", "3/3"] {
        let seed = ["--shard", shard, "--seed", "3"];
        let replayed = conform(&seed);
        let row = only(&replayed);
        assert_eq!((&replayed["shard"], &row["classes"]), (&shard.into(), &classes.into()));
        assert_eq!((&row["range"][0], &row["divergences"]), (&end.into(), &0.into()));
        end = row["range"][1].as_u64().unwrap();
        let size = end - row["range"][0].as_u64().unwrap();
        assert_eq!(row["replayed"], size);
        sizes.push(size);
        sum = sum.wrapping_add(digest(row));
        let dry = conform(&[&seed[..], &["--dry-run"]].concat());
        assert_eq!((&only(&dry)["digest"], &only(&dry)["selected"]), (&row["digest"], &row["replayed"]));
    }
    assert_eq!((end, format!("{sum:032x}")), (classes, whole.to_string()));
    assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
}

#[test]
fn a_sample_of_a_shard_is_drawn_from_the_shard() {
    let folder = tempfile::tempdir().unwrap();
    let shard = |shard: &str| {
        let words = ["conform", "check-then-act", "--shard", shard, "--seed", "3", "--sample", "20", "--json"];
        document(folder.path(), &words)
    };
    let (first, second) = (shard("1/2"), shard("2/2"));
    for document in [&first, &second] {
        assert_eq!((&only(document)["replayed"], &document["sample"]), (&20.into(), &20.into()));
    }
    assert_eq!(only(&first)["range"][1], only(&second)["range"][0]);
    assert_ne!(only(&first)["digest"], only(&second)["digest"]);
    let again = shard("1/2");
    assert_eq!(only(&first)["digest"], only(&again)["digest"], "the same seed draws the same");
}

#[test]
fn a_shard_is_told_with_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["conform", "check-then-act", "--faults", "0", "--retries", "0", "--shard", "2/3", "--seed", "1"];
    let said = oncelab(folder.path(), &words);
    // Six classes: 2 + 2 × 2.
    assert!(text(&said.stdout).contains("shard 2 of 3: classes 2 to 3\n"), "{}", text(&said.stdout));
    assert!(text(&said.stdout).contains("2 schedules, one of a class"), "{}", text(&said.stdout));
}

#[test]
fn what_is_no_shard_is_refused_in_a_line_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--faults", "0", "--retries", "0"];
    for (words, remedy) in [
        (&["--shard", "1/0", "--seed", "1"][..], "--shard '1/0' divides the work into 0 shards: write i/n"),
        (&["--shard", "0/4", "--seed", "1"], "they are numbered from 1/4 to 4/4"),
        (&["--shard", "5/4", "--seed", "1"], "they are numbered from 1/4 to 4/4"),
        (&["--shard", "a/4", "--seed", "1"], "write i/n"),
        (&["--shard", "1/7", "--seed", "1"], "classes of check-then-act, which are 6: use at most 6 shards"),
        (&["--shard", "1/4"], "--shard 1/4 needs a --seed, the same for all shards: add --seed 1"),
        (&["--shard", "1/2", "--seed", "1", "--max-classes", "2"], "has 3 classes in shard 1/2 within the bound"),
    ] {
        let refused = oncelab(folder.path(), &[&["conform", "check-then-act"], words, &small].concat());
        let said = text(&refused.stderr);
        assert_eq!((refused.status.code(), refused.stdout.is_empty()), (Some(2), true), "{words:?}: {said}");
        assert!(said.contains(remedy) && said.trim_end().lines().count() == 1, "{words:?}: {said}");
    }
    for (shard, remedy) in [("1/0", "write i/n"), ("5/4", "from 1/4 to 4/4"), ("1/3", "use at most 2 shards")] {
        let refused = oncelab(folder.path(), &["evidence", "put", "post", "--shard", shard]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{shard}: {said}");
        assert!(said.contains(remedy) && said.trim_end().lines().count() == 1, "{shard}: {said}");
    }
}

#[test]
fn a_shard_of_the_evidence_takes_every_nth_strategy() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["--times", "1", "--sample", "1", "--run-requests", "0", "--json"];
    let mut gathered = Vec::new();
    for shard in ["1/2", "2/2"] {
        let words = ["evidence", "put", "post", "dedup-table", "--shard", shard];
        let document = document(folder.path(), &[&words[..], &short].concat());
        assert_eq!(document["shard"], shard);
        let rows = document["rows"].as_array().unwrap().iter();
        gathered.push(rows.map(|row| row["strategy"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(gathered, [vec!["put", "dedup-table"], vec!["post"]]);
}
