//! The folders of `src/` stand in layers: each uses only those below it. Inside a folder, files do not lean on each other in circles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The folders and files of `src/`, from the bottom up. Those of one layer do not use each other.
const LAYERS: &[&[&str]] = &[
    &["exit", "parallel", "quote", "stats", "suggest"],
    &["terms"],
    &["wire"],
    &["service"],
    &["repeats", "world"],
    &["strategy"],
    &["history"],
    &["fault"],
    &["check"],
    &["experiment", "explore"],
    &["load", "replay"],
    &["results"],
    &["report"],
    &["lab"],
    &["cli"],
];

/// The folders whose files must not lean on each other in circles of more than two.
const WITHOUT_CIRCLES: &[&str] = &["cli", "explore", "load", "replay"];

/// Every file below `src/`, by the path of its module, e.g. `explore::engine`.
fn modules() -> BTreeMap<String, String> {
    fn visit(folder: &Path, path: &str, modules: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let file = entry.expect("an entry").path();
            let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
            let own = if path.is_empty() { name.clone() } else { format!("{path}::{name}") };
            if file.is_dir() {
                visit(&file, &own, modules);
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                let is_root = ["lib", "main"].contains(&name.as_str()) && path.is_empty();
                let own = if name == "mod" { path.to_owned() } else { own };
                if !is_root {
                    modules.insert(own, std::fs::read_to_string(&file).expect("a source"));
                }
            }
        }
    }
    let mut modules = BTreeMap::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut modules);
    modules
}

/// A source without its comments, and without the tests at its end.
fn code(source: &str) -> String {
    let source = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(source);
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The paths that begin with this word, with the branches of `use` as paths of their own.
fn paths_from(code: &str, word: &str) -> Vec<String> {
    let begins = format!("{word}::");
    let is_start = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let starts = code.match_indices(&begins).map(|(at, _)| at).filter(|at| is_start(*at));
    starts.flat_map(|at| branches(&code[at + begins.len()..]).0).collect()
}

/// The paths of a tree such as `a::{b, c::d}`, and how much of the text it takes.
fn branches(text: &str) -> (Vec<String>, usize) {
    if let Some(inside) = text.strip_prefix('{') {
        let (mut paths, mut at) = (Vec::new(), 1);
        loop {
            at += inside[at - 1..].find(|c: char| !c.is_whitespace() && c != ',').unwrap_or(0);
            if text[at..].starts_with('}') {
                return (paths, at + 1);
            }
            let (more, length) = branches(&text[at..]);
            paths.extend(more);
            at += length;
            // An alias.
            at += text[at..].find([',', '}']).unwrap_or(text.len() - at);
        }
    }
    let length = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len());
    let first = &text[..length];
    match text[length..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c == '{' || c == '*' || c.is_alphabetic() || c == '_') => {
            let (paths, more) = branches(rest);
            (paths.into_iter().map(|path| format!("{first}::{path}")).collect(), length + 2 + more)
        }
        _ => (vec![first.to_owned()], length.max(1)),
    }
}

/// Which folder uses which other one, with a file that does.
fn folder_uses() -> BTreeMap<(String, String), String> {
    let mut uses = BTreeMap::new();
    for (module, source) in modules() {
        let folder = module.split("::").next().expect("a folder").to_owned();
        for path in paths_from(&code(&source), "crate") {
            let other = path.split("::").next().expect("a folder").to_owned();
            let is_folder = other.starts_with(|c: char| c.is_lowercase());
            if other != folder && is_folder {
                uses.entry((folder.clone(), other)).or_insert_with(|| module.clone());
            }
        }
    }
    uses
}

fn layer_of(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&folder))
}

/// The uses that do not go down.
fn breaches(uses: &BTreeMap<(String, String), String>) -> Vec<String> {
    let goes_down =
        |from: &str, to: &str| matches!((layer_of(from), layer_of(to)), (Some(from), Some(to)) if to < from);
    let wrong = uses.iter().filter(|((from, to), _)| !goes_down(from, to));
    wrong.map(|((from, to), module)| format!("{from} uses {to}, in {module}")).collect()
}

#[test]
fn every_folder_uses_only_those_below_it() {
    let mut uses = folder_uses();
    assert_eq!(breaches(&uses), Vec::<String>::new(), "the layers stand in tests/it/layers.rs, the lowest first");
    for (from, to) in [("service", "world"), ("check", "explore"), ("load", "replay"), ("terms", "nowhere")] {
        uses.insert((from.to_owned(), to.to_owned()), "a test".to_owned());
        assert_eq!(breaches(&uses), [format!("{from} uses {to}, in a test")], "one more use is noticed");
        uses.remove(&(from.to_owned(), to.to_owned()));
    }
}

/// Where each name that a folder's `mod.rs` hands on comes from.
fn handed_on(folder: &str, source: &str) -> BTreeMap<String, String> {
    let code = code(source);
    let mut names = BTreeMap::new();
    for part in code.split('\n').collect::<Vec<_>>().join(" ").split(';') {
        let Some((before, tree)) = part.rsplit_once("use ") else { continue };
        if !before.trim_end().ends_with("pub") && !before.trim_end().ends_with(')') {
            continue;
        }
        for path in branches(tree.trim()).0 {
            if let Some((file, name)) = path.rsplit_once("::") {
                names.insert(name.to_owned(), format!("{folder}::{file}"));
            }
        }
    }
    names
}

/// The folders that may name operations and responses: those that define them, carry them, and ask for them.
const NAME_OPERATIONS: &[&str] = &["service", "strategy", "world"];

/// The places that name an operation, or a response, outside those folders.
fn named_operations(modules: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (module, source) in modules {
        let folder = module.split("::").next().expect("a folder");
        if NAME_OPERATIONS.contains(&folder) || module.contains("tests") || module.ends_with("::testing") {
            continue;
        }
        for word in ["Op", "OpKind", "Response", "Item"] {
            let paths = paths_from(&code(source), word);
            // `OpKind::ALL` and functions name none.
            let is_one = |name: &&String| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
            found.extend(paths.iter().filter(is_one).map(|name| format!("{module} names {word}::{name}")));
        }
    }
    found
}

#[test]
fn only_services_and_those_who_ask_them_name_operations() {
    let mut modules = modules();
    assert_eq!(
        named_operations(&modules),
        Vec::<String>::new(),
        "ask the acts of an operation, or what its service says of it"
    );
    modules.insert("check::late".to_owned(), "fn f(op: Op) -> bool { op == Op::Commit }".to_owned());
    assert_eq!(named_operations(&modules), ["check::late names Op::Commit"]);
}

/// Which file of a folder leans on which other.
fn file_uses(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules();
    let own = |module: &&String| *module == folder || module.starts_with(&format!("{folder}::"));
    let files: BTreeSet<&String> = modules.keys().filter(own).filter(|module| !module.contains("tests")).collect();
    let handed: BTreeMap<String, String> = files
        .iter()
        .flat_map(|module| {
            let names = handed_on(module, &modules[*module]);
            names.into_iter().map(|(name, file)| (format!("{module}::{name}"), file)).collect::<Vec<_>>()
        })
        .collect();
    // The file that a path leads to: through what each `mod.rs` hands on.
    let file_of = |path: &str| -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..4 {
            let parts: Vec<&str> = path.split("::").collect();
            let step = (1..=parts.len()).rev().find_map(|n| handed.get(&parts[..n].join("::")).map(|file| (n, file)));
            match step {
                Some((n, file)) => path = [file.as_str(), &parts[n - 1..].join("::")].join("::"),
                None => break,
            }
        }
        let parts: Vec<&str> = path.split("::").collect();
        (1..=parts.len()).rev().map(|n| parts[..n].join("::")).find(|module| files.contains(module))
    };
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in &files {
        let code = code(&modules[*module]);
        // What is handed on is not leant on.
        let code: String =
            code.split_inclusive(';').filter(|part| !part.contains("pub use") && !part.contains(") use")).collect();
        let is_mod = modules.keys().any(|other| other.starts_with(&format!("{module}::")));
        let above =
            if is_mod { (*module).clone() } else { module.rsplit_once("::").map_or("", |(above, _)| above).to_owned() };
        let above_that = module.rsplit_once("::").map_or("", |(above, _)| above).to_owned();
        let base = if is_mod { above_that } else { above };
        let mut paths: Vec<String> = paths_from(&code, "crate");
        // A folder's `mod.rs` names the files below it as they are called there.
        let below = files.iter().filter_map(|file| file.strip_prefix(&format!("{module}::")));
        for child in below.filter(|child| is_mod && !child.contains("::")) {
            paths.extend(paths_from(&code, child).into_iter().map(|rest| format!("{module}::{child}::{rest}")));
        }
        for path in paths_from(&code, "super") {
            let (ups, rest) = match path.strip_prefix("super::") {
                Some(rest) => (1, rest.to_owned()),
                None => (0, path),
            };
            let mut from = base.clone();
            for _ in 0..ups {
                from = from.rsplit_once("::").map_or("", |(above, _)| above).to_owned();
            }
            paths.push(format!("{from}::{rest}"));
        }
        let leans_on = paths.iter().filter_map(|path| file_of(path)).filter(|file| file != *module);
        uses.entry((*module).clone()).or_default().extend(leans_on);
    }
    uses
}

/// The circles of a graph: the largest sets of places of which each can be come to from each other.
fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(at) = left.pop() {
            for next in uses.get(&at).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    left.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = uses.keys().map(|from| (from, reach(from))).collect();
    let circle_of = |one: &String| -> Vec<String> {
        let both = |other: &&&String| reached[one].contains(**other) && reached[**other].contains(one);
        reached.keys().filter(both).map(|other| (*other).clone()).collect()
    };
    let all: BTreeSet<Vec<String>> = uses.keys().map(circle_of).filter(|circle| circle.len() > 1).collect();
    all.into_iter().collect()
}

#[test]
fn files_of_a_folder_do_not_lean_on_each_other_in_large_circles() {
    let mut large = Vec::new();
    for folder in WITHOUT_CIRCLES {
        let uses = file_uses(folder);
        assert!(uses.values().map(BTreeSet::len).sum::<usize>() >= uses.len(), "{folder}: its files use each other");
        large.extend(circles(&uses).into_iter().filter(|circle| circle.len() > 2));
    }
    assert_eq!(large, Vec::<Vec<String>>::new());
}

#[test]
fn a_circle_is_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            uses.entry((*to).to_owned()).or_default();
        }
        circles(&uses)
    };
    assert_eq!(uses(&[("a", "b"), ("b", "c")]), Vec::<Vec<String>>::new());
    assert_eq!(uses(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]), [["a", "b", "c"]]);
}

#[test]
fn paths_are_found_in_every_form() {
    let code = "use crate::a::{b, c::{D, E as F}};\nfn f() -> crate::g::H<crate::i::J> {}";
    assert_eq!(paths_from(code, "crate"), ["a::b", "a::c::D", "a::c::E", "g::H", "i::J"]);
}

/// Where each type is defined, by its name. Associated types are none.
fn definitions(modules: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (module, source) in
        modules.iter().filter(|(module, _)| !module.contains("tests") && !module.ends_with("testing"))
    {
        for line in code(source).lines() {
            let indented = line.starts_with(' ');
            let line = line.trim_start();
            let bare =
                line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').map_or(rest, |(_, rest)| rest));
            let words: Vec<&str> = bare.splitn(2, ' ').collect();
            let [what, rest] = words[..] else { continue };
            if ["struct", "enum", "trait"].contains(&what) || what == "type" && !indented {
                let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                // Where the name is a macro's parameter, it stands where the macro is called.
                if !name.is_empty() {
                    found.entry(name.to_owned()).or_default().push(module.clone());
                }
            }
        }
    }
    found
}

#[test]
fn no_name_of_a_type_means_two_things() {
    let mut modules = modules();
    let twice = |modules: &BTreeMap<String, String>| {
        let several = definitions(modules).into_iter().filter(|(_, places)| places.len() > 1);
        several.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect::<Vec<_>>()
    };
    assert_eq!(twice(&modules), Vec::<String>::new());
    modules.insert("zoo".to_owned(), "pub(crate) struct Fate;".to_owned());
    assert_eq!(twice(&modules), ["Fate: explore::schedule, zoo"]);
}

#[test]
fn no_file_is_long() {
    let mut lengths: Vec<(usize, String)> =
        modules().into_iter().map(|(module, source)| (source.lines().count(), module)).collect();
    lengths.sort_unstable();
    let (longest, module) = lengths.last().expect("there are files");
    assert!(*longest <= 500, "{module} has {longest} lines: part it");
    let (median, _) = &lengths[lengths.len() / 2];
    assert!(*median <= 140, "half of the files have more than {median} lines");
}

/// The enums over whose kinds nothing outside the services may pass by saying "all others".
const TO_BE_NAMED: &[&str] = &["Op", "OpKind", "Response", "Fate", "MessageFate", "FaultKind", "Failure", "Leg"];

/// The patterns of each `match` in a source.
fn matches_of(code: &str) -> Vec<Vec<String>> {
    let starts = code
        .match_indices("match ")
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    starts
        .filter_map(|(at, _)| {
            let opens = at + code[at..].find(['{', ';'])?;
            code[opens..].starts_with('{').then(|| patterns(&code[opens + 1..]))
        })
        .collect()
}

/// The patterns of a `match`, from behind its brace on.
fn patterns(body: &str) -> Vec<String> {
    let (mut patterns, mut pattern, mut depth) = (Vec::new(), String::new(), 0);
    let mut is_pattern = true;
    let letters: Vec<char> = body.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let c = letters[at];
        let before = depth;
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            break;
        }
        if is_pattern && depth == 0 && c == '=' && letters.get(at + 1) == Some(&'>') {
            patterns.push(std::mem::take(&mut pattern).trim().to_owned());
            is_pattern = false;
            at += 2;
            continue;
        }
        if is_pattern {
            pattern.push(c);
        } else if depth == 0 && (c == ',' || c == '}' && before == 1) {
            // Behind a block there may be a comma, or more of the expression: none of that is a pattern.
            is_pattern = true;
            if c == '}' && letters[at + 1..].iter().find(|c| !c.is_whitespace()) == Some(&',') {
                is_pattern = false;
            }
            if c == '}' && letters.get(at + 1) == Some(&'.') {
                is_pattern = false;
            }
        }
        at += 1;
    }
    patterns
}

/// The matches that name some kinds of such an enum, and pass by the others.
fn others_passed_by(modules: &BTreeMap<String, String>) -> Vec<String> {
    let is_named = |pattern: &String| {
        // A guard names no kind.
        let pattern = pattern.split(" if ").next().unwrap_or(pattern);
        let kinds = TO_BE_NAMED.iter().flat_map(|name| paths_from(pattern, name));
        kinds.into_iter().any(|kind| kind.starts_with(char::is_uppercase))
    };
    let is_all = |pattern: &String| {
        pattern == "_"
            || pattern.chars().all(|c| c.is_lowercase() || c == '_') && !["true", "false"].contains(&pattern.as_str())
    };
    let mut found = Vec::new();
    for (module, source) in modules {
        if module.starts_with("service") || module.contains("tests") || module.ends_with("testing") {
            continue;
        }
        for patterns in matches_of(&code(source)) {
            if patterns.iter().any(is_named) && patterns.iter().any(is_all) {
                found.push(format!("{module}: {}", patterns.join(" / ")));
            }
        }
    }
    found
}

#[test]
fn nothing_outside_the_services_passes_kinds_by() {
    let mut modules = modules();
    assert_eq!(others_passed_by(&modules), Vec::<String>::new(), "name every kind, so that a new one is not forgotten");
    let source = "fn f(fate: Fate) -> u8 { match fate { Fate::Arrives => { 1 } Fate::Lands => g(2), _ => 3 } }";
    modules.insert("zoo".to_owned(), source.to_owned());
    assert_eq!(others_passed_by(&modules), ["zoo: Fate::Arrives / Fate::Lands / _"]);
}
