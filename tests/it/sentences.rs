//! Sentences are claims: each that a report prints is held against the table of the same run by a second reading of its conditions and of its
//! figures. Over every committed run, over the same with each strategy dropped in turn or cut short, and over random tables.

mod again;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use oncelab::experiment::{Analysis, Sentence};
use oncelab::report::{Facts, brief, guide, outcome, plain, references, told, unjudged};

use again::{Reading, Seen};
use tables::{Kind, Run};

/// The guide as it stands in its file.
fn guide_sentences() -> Vec<Sentence> {
    #[derive(serde::Deserialize)]
    struct Guide {
        advice: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        sentences: Vec<Sentence>,
    }
    let guide: Guide = toml::from_str(include_str!("../../experiments/guide/guide.toml")).unwrap();
    guide.advice.into_iter().flat_map(|entry| entry.sentences).collect()
}

/// What a report prints of this sentence.
fn told_of(sentence: &Sentence, facts: &Arc<Facts>) -> Option<String> {
    told(&Analysis::Sentences(vec![sentence.clone()]), facts).pop()
}

/// How often each sentence was printed, and how many numbers were compared.
#[derive(Default)]
struct Sum {
    tables: usize,
    printed: usize,
    left_out: usize,
    numbers: usize,
    by_sentence: BTreeMap<String, usize>,
}

/// Holds every sentence of a run's report against its table.
fn hold(run: &Run, sum: &mut Sum) {
    let reading = Reading::of(run);
    let facts = run.facts();
    sum.tables += 1;
    let analysis = run.experiment.analysis.sentences().to_vec();
    for sentence in analysis.iter().chain(&guide_sentences()) {
        let printed = told_of(sentence, &facts);
        let should_be = reading.holds(sentence);
        assert_eq!(printed.is_some(), should_be, "{}: {printed:?}\n{sentence:#?}", run.name);
        match printed {
            None => sum.left_out += 1,
            Some(text) => {
                sum.printed += 1;
                sum.numbers += reading.figures(&sentence.says, &text);
                *sum.by_sentence.entry(sentence.says.clone()).or_default() += 1;
            }
        }
    }
    for sentence in brief(&facts) {
        sum.printed += 1;
        let Seen { numbers, kind } = reading.brief(&sentence);
        sum.numbers += numbers;
        *sum.by_sentence.entry(kind.to_owned()).or_default() += 1;
    }
    for sentence in references(&run.summary, &run.experiment.references) {
        sum.printed += 1;
        sum.numbers += reading.reference(&sentence);
    }
    let all = everything(run, &facts);
    for text in &all {
        for wrong in ["not in this run", "could not be filled", "{{", "NaN", "inf%", " ,", "  "] {
            assert!(!text.contains(wrong), "{}: {text}", run.name);
        }
    }
}

/// Everything that a report says of a run in prose.
fn everything(run: &Run, facts: &Arc<Facts>) -> Vec<String> {
    let advice = guide(facts).into_iter().flat_map(|advice| [advice.situation, advice.advice]);
    let prose = told(&run.experiment.analysis, facts).into_iter().chain(brief(facts)).map(|text| plain(&text));
    let judged = unjudged(facts).into_iter().chain([outcome(&run.summary)]);
    prose.chain(advice).chain(judged).chain(references(&run.summary, &run.experiment.references)).collect()
}

#[test]
fn what_is_said_of_the_committed_runs_is_what_their_tables_say() {
    let mut sum = Sum::default();
    let mut runs = 0;
    for run in tables::committed() {
        runs += 1;
        hold(&run, &mut sum);
        for part in run.without_each_strategy() {
            hold(&part, &mut sum);
        }
        hold(&run.cut_short(), &mut sum);
    }
    println!(
        "{} tables, {} sentences printed, {} left out, {} numbers",
        sum.tables, sum.printed, sum.left_out, sum.numbers
    );
    assert!(runs >= 20, "{runs} committed runs");
    assert!(sum.tables >= 200, "{} tables", sum.tables);
    assert!(sum.printed >= 1_500, "{} sentences", sum.printed);
    assert!(sum.left_out >= 500, "{} sentences left out", sum.left_out);
    assert!(sum.numbers >= 3_000, "{} numbers", sum.numbers);
}

#[test]
fn what_is_said_of_random_tables_is_what_they_say() {
    const SEEDS: u64 = 36;
    let like = tables::committed().into_iter().find(|run| run.experiment.name == "quick").unwrap();
    let mut sum = Sum::default();
    for kind in [Kind::Wild, Kind::Tame] {
        for seed in 0..SEEDS {
            for run in tables::random(seed, kind, &like) {
                hold(&run, &mut sum);
            }
        }
    }
    println!(
        "{} tables, {} sentences printed, {} left out, {} numbers",
        sum.tables, sum.printed, sum.left_out, sum.numbers
    );
    assert_eq!(sum.tables, 2 * 36 * oncelab::experiment::builtin_names().len());
    assert!(sum.printed >= 3_000, "{} sentences", sum.printed);
    assert!(sum.left_out >= 3_000, "{} sentences left out", sum.left_out);
    assert!(sum.numbers >= 8_000, "{} numbers", sum.numbers);
    // Nothing is there that never holds, of random tables or of committed ones.
    tables::committed().iter().for_each(|run| hold(run, &mut sum));
    let sentences =
        oncelab::experiment::builtin_names().into_iter().flat_map(tables::sentences_of).chain(guide_sentences());
    let never: Vec<String> = sentences.map(|one| one.says).filter(|says| !sum.by_sentence.contains_key(says)).collect();
    assert!(never.is_empty(), "never printed: {never:#?}");
    for kind in ["safest", "proved", "fastest", "lock", "across", "none", "nothing seen"] {
        assert!(sum.by_sentence.get(kind).is_some_and(|times| *times >= 5), "{kind}: {:?}", sum.by_sentence.get(kind));
    }
}

#[test]
fn a_run_that_was_cut_short_is_never_called_as_expected() {
    let mut cut = 0;
    for run in tables::committed() {
        let part = run.cut_short();
        if part.summary.cells.is_empty() {
            continue;
        }
        cut += 1;
        let facts = part.facts();
        for text in everything(&part, &facts) {
            assert!(!text.contains("Every expectation was met"), "{}: {text}", run.name);
            assert!(!text.contains("Safest: ") && !text.contains("fastest"), "{}: {text}", run.name);
        }
        let said = unjudged(&facts).join(" ") + &outcome(&part.summary);
        assert!(said.contains("Interrupted: ") && said.contains("Not judged: "), "{}: {said}", run.name);
        assert!(outcome(&run.summary).contains("Every expectation was met") || !run.expects_all(), "{}", run.name);
    }
    assert!(cut >= 20, "{cut}");
}
