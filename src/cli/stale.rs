//! What follows from the rows of a run and is saved beside them, held against what follows from them now.

use serde_json::Value;

use crate::lab::Derived;
use crate::lab::{Audit, Place, Remedy, differences};
use crate::results::{Files, LARGEST_DOCUMENT, RunFolder, SCHEMA, Summary, read_text};
use crate::strategy::Registry;

/// What a folder has of the files that follow from its rows.
struct Saved {
    name: &'static str,
    /// What is saved; none if it is not there, or is not text.
    found: Option<String>,
    right: String,
}

/// Holds summary, schedules and reports against the rows.
///
/// # Errors
/// None that is known: documents that cannot be written as JSON.
pub(super) fn hold(folder: &RunFolder, registry: &Registry, audit: &mut Audit) -> anyhow::Result<()> {
    if !audit.disagreements.is_empty() {
        audit.not_judged.insert("summary, schedules and reports: they follow from what disagrees".to_owned());
        return Ok(());
    }
    if is_from_before(folder, registry, audit) {
        let what = "summary, schedules and reports: they were saved before the last trials were finished";
        audit.not_judged.insert(format!("{what}; {}", Remedy::SaveAgain.text(folder)));
        return Ok(());
    }
    let derived = Derived::made(folder, registry)?;
    let files = derived.files(folder)?.map(|(name, right)| Saved {
        name,
        found: read_text(&folder.path().join(name), LARGEST_DOCUMENT).ok(),
        right,
    });
    let is_there = |saved: &&Saved| folder.path().join(saved.name).is_file();
    let there: Vec<&str> = files.iter().filter(is_there).map(|saved| saved.name).collect();
    for saved in &files {
        let name = saved.name;
        let Some(found) = &saved.found else {
            absent(folder, name, &there, audit);
            continue;
        };
        match name {
            Files::SUMMARY | Files::SCHEDULES => hold_json(folder, saved, found, audit),
            _ => hold_text(folder, saved, found, audit),
        }
    }
    Ok(())
}

/// Whether the files were saved when an interrupted run had fewer trials than it has now: a resumed run that was killed.
fn is_from_before(folder: &RunFolder, registry: &Registry, audit: &Audit) -> bool {
    let saved: Option<Value> = folder.read_json(Files::SUMMARY).ok();
    let trials = saved.as_ref().and_then(|saved| usize::try_from(saved.get("trials")?.as_u64()?).ok());
    let (Some(saved), Some(trials)) = (saved, trials) else { return false };
    if audit.missing.is_empty() || trials >= folder.rows().len() {
        return false;
    }
    let RunFolder { meta, experiment, .. } = folder;
    let then = Summary::new(String::new(), meta, experiment, &folder.rows()[..trials], registry).ok();
    let cells = |summary: &Value| -> Value {
        let mut cells = summary.get("cells").cloned().unwrap_or_default();
        let explored = cells.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
        explored.for_each(|cell| drop(cell.remove("explored")));
        cells
    };
    let then = then.and_then(|then| serde_json::to_value(then).ok());
    then.is_some_and(|then| differences(&cells(&saved), &cells(&then)).is_empty())
}

fn absent(folder: &RunFolder, name: &'static str, there: &[&str], audit: &mut Audit) {
    match there.first() {
        // A run that is killed has saved none of them.
        None => {
            let what = format!("{name}: it is not there");
            audit.not_judged.insert(format!("{what}; {}", Remedy::SaveAgain.text(folder)));
        }
        Some(other) if !there.contains(&name) => {
            audit.add(folder, Place::of(name), format!("is not there, and {other} is"), Remedy::SaveAgain);
        }
        Some(_) => audit.add(folder, Place::of(name), "is not text".to_owned(), Remedy::SaveAgain),
    }
}

/// What another version may say otherwise: only numbers are the same in all of them.
fn hold_json(folder: &RunFolder, saved: &Saved, found: &str, audit: &mut Audit) {
    let parsed = serde_json::from_str::<Value>(found);
    let (Ok(mut found), Ok(mut right)) = (parsed, serde_json::from_str::<Value>(&saved.right)) else {
        return audit.add(folder, Place::of(saved.name), "is not a JSON document".to_owned(), Remedy::SaveAgain);
    };
    // Where the folder was when it was saved.
    for document in [&mut found, &mut right] {
        document.as_object_mut().and_then(|document| document.remove("dir"));
    }
    let is_of_this_build = folder.meta.is_of_this_build();
    let counts = |path: &str| !path.contains("explored");
    let version = |path: &str| path == "schema" && folder.meta.schema < SCHEMA;
    for difference in differences(&found, &right).into_iter().filter(|one| !version(&one.path)) {
        let both_count = difference.found.is_number() && difference.right.is_number() && counts(&difference.path);
        if is_of_this_build || both_count {
            let place = Place::of(saved.name).column(&difference.path);
            audit.add(folder, place, difference.what("the rest of the folder gives"), Remedy::SaveAgain);
        } else {
            by_another(folder, saved.name, audit);
        }
    }
}

fn hold_text(folder: &RunFolder, saved: &Saved, found: &str, audit: &mut Audit) {
    if found == saved.right {
        return;
    }
    if !folder.meta.is_of_this_build() {
        return by_another(folder, saved.name, audit);
    }
    let mut lines = (1..).zip(
        found
            .lines()
            .map(Some)
            .chain(std::iter::repeat(None))
            .zip(saved.right.lines().map(Some).chain(std::iter::repeat(None))),
    );
    let differing = lines.find(|(_, (found, right))| found != right || found.is_none());
    let Some((number, (found, right))) = differing else { return };
    let (found, right) = (found.unwrap_or_default(), right.unwrap_or_default());
    let place = format!("line {number}");
    let what = format!(
        "has {}, and the rest of the folder gives {}",
        from_difference(found, right),
        from_difference(right, found)
    );
    audit.add(folder, Place::of(saved.name).column(&place), what, Remedy::SaveAgain);
}

/// The part of a line around the place where it begins to differ from another.
fn from_difference(line: &str, other: &str) -> String {
    const BEFORE: usize = 20;
    const LENGTH: usize = 60;
    let same = line.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let part: String = line.chars().skip(same.saturating_sub(BEFORE)).take(LENGTH).collect();
    format!("'{}'", part.escape_debug())
}

fn by_another(folder: &RunFolder, name: &str, audit: &mut Audit) {
    let revision: String = folder.meta.git_revision.chars().take(7).collect();
    audit.not_judged.insert(format!(
        "the words of {name}: the run was made by another version of oncelab ({} at {revision}), which may say it otherwise",
        folder.meta.oncelab
    ));
}
