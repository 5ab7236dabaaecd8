//! The first page keeps its word: it is short, defines what it shows, and what it says is true of its table.

use std::collections::BTreeSet;

use oncelab::check::{Inconclusive, Verdict};
use oncelab::terms::Violation;

use crate::common::{oncelab, text};
use crate::documents::{read, root, set_apart};

/// The rows of the first table of a text, its headings first, and what stands after it up to the next heading.
fn first_table(text: &str) -> (Vec<Vec<String>>, &str) {
    let begins = text.find("\n|").unwrap() + 1;
    let length: usize =
        text[begins..].split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace("&lt;", "<")).collect();
    let mut rows: Vec<Vec<String>> = text[begins..begins + length].lines().map(cells).collect();
    rows.remove(1);
    let legend = &text[begins + length..];
    (rows, &legend[..legend.find("\n## ").unwrap_or(legend.len())])
}

#[test]
fn the_first_page_has_at_most_8000_characters_and_8_rows() {
    let readme = read("README.md").text;
    assert!(readme.chars().count() <= 8000, "{}", readme.chars().count());
    let (rows, _) = first_table(&readme);
    assert!((2..=9).contains(&rows.len()), "{}", rows.len());
    assert_eq!(readme.matches("\n| :-- |").count(), 1, "one table");
}

#[test]
fn the_legend_of_the_first_table_defines_every_word_and_symbol_in_it() {
    let readme = read("README.md").text;
    let (rows, legend) = first_table(&readme);
    let defined: BTreeSet<&str> = set_apart(legend, '*').chain(set_apart(legend, '`')).collect();
    let mut words: BTreeSet<String> = rows[0].iter().cloned().collect();
    for row in &rows[1..] {
        for cell in row {
            // "179 duplicate, (7 overlap)" is two words, and "0 of 2100 (<0.15%)" is "of".
            let bare = cell.replace(|c: char| "(),<>%!~±–".contains(c), " ");
            let word = |word: &&str| word.starts_with(|c: char| c.is_alphabetic()) && *word != "of";
            words.extend(bare.split_whitespace().filter(word).map(str::to_owned));
        }
    }
    assert!(words.len() >= 4 + 8 + 2, "{words:?}");
    words.extend(Violation::ALL.into_iter().map(|kind| kind.name().to_owned()));
    let too_few = Verdict::Inconclusive(Inconclusive::TooFewRequests);
    words
        .extend([Verdict::Valid, Verdict::Invalid, too_few, Verdict::Unknown].map(|verdict| verdict.name().to_owned()));
    let missing: Vec<&String> = words.iter().filter(|word| !defined.contains(word.as_str())).collect();
    assert!(missing.is_empty(), "the legend does not define {missing:?}");

    let is_symbol = |c: &char| !c.is_alphanumeric() && !" .,-".contains(*c);
    let symbols: BTreeSet<char> = rows.iter().flatten().flat_map(|cell| cell.chars()).filter(is_symbol).collect();
    assert!(symbols.len() >= 2, "brackets and the bound: {symbols:?}");
    let explained: BTreeSet<char> = set_apart(legend, '`').flat_map(str::chars).filter(is_symbol).collect();
    assert!(symbols.is_subset(&explained), "the legend does not explain {symbols:?}, only {explained:?}");
    if rows[1..].iter().flatten().any(|cell| cell.starts_with("0 of ")) {
        assert!(defined.contains("0 of n"), "{defined:?}");
    }
}

/// What the answer says of a strategy, the table says too.
#[test]
fn the_answer_is_true_of_the_table_below_it() {
    let readme = read("README.md").text;
    let (rows, _) = first_table(&readme);
    let column = |heading: &str| rows[0].iter().position(|cell| cell == heading).unwrap();
    let row = |name: &str| rows.iter().find(|row| row[column("strategy")] == name).unwrap_or_else(|| panic!("{name}"));
    let said = |heading: &str| {
        let begins = readme.find(&format!("- **{heading}:**")).unwrap();
        let answer = readme[begins + 2..].split("\n- ").next().unwrap().split("\n\n").next().unwrap();
        let names: Vec<&str> = set_apart(answer, '`').collect();
        assert!(!names.is_empty(), "{answer}");
        (answer.split_whitespace().collect::<Vec<_>>().join(" "), names)
    };
    let (_, broken) = said("What breaks");
    for name in broken {
        let row = row(name);
        let said = &row[column("PostgreSQL")];
        assert!(said.starts_with('✗') && said.contains(" duplicate"), "{name}: {said}");
    }
    let (_, held) = said("What holds");
    for name in held {
        for backend in ["SQLite", "PostgreSQL"] {
            assert!(row(name)[column(backend)].starts_with('✓'), "{name} on {backend}");
        }
    }
    let (answer, [locked, without]) = (said("What the lock costs").0, ["etcd-lock-fenced-transaction", "dedup-table"]);
    assert!(answer.contains(&format!("`{locked}` holds too")) && answer.contains("twice the operations"), "{answer}");
    let operations = |name| -> f64 {
        let row = row(name);
        assert!(row[column("PostgreSQL")].starts_with('✓'), "{name}");
        row[column("ops")].parse().unwrap()
    };
    let times = operations(locked) / operations(without);
    assert!((1.75..2.25).contains(&times), "{times} times the operations");
    let on = |name: &str, backend: &str| row(name)[column(backend)].clone();
    let of_one_writer = on("check-then-act-transaction", "SQLite");
    assert!(of_one_writer.starts_with('✓'), "it holds on SQLite: {of_one_writer}");
}

#[test]
fn a_table_has_the_rows_that_are_asked_for_and_no_empty_column() {
    let run = std::fs::read_dir(root().join("results/quick")).unwrap().next().unwrap().unwrap().path();
    let run = run.to_str().unwrap();
    let report = |rows: &str| {
        let form = ["report", run, "--table", "matrix", "--format", "md", "--strategies", rows];
        let done = oncelab(root(), &form);
        (done.status.code(), format!("\n{}{}", text(&done.stdout), text(&done.stderr)))
    };
    let (code, table) = report("dedup-table,at-most-once");
    assert_eq!(code, Some(0), "{table}");
    let (rows, _) = first_table(&table);
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["strategy", "at-most-once", "dedup-table"], "in the order of the run");
    let (code, said) = report("dedup-tabel");
    assert!(code == Some(2) && said.contains("did you mean 'dedup-table'"), "{said}");
}
