//! `oncelab report DIR DIR…`: what each strategy does on each backend, from a run on each.

use std::path::{Path, PathBuf};

use super::one_table::one;
use super::{Format, UsageError, output};
use crate::lab::Derived;
use crate::quote::shell_path;
use crate::report::{
    Around, OVERVIEW_LEGEND, OnBackend, Overview, by_backend, by_violation, overview_to_html, to_markdown, to_text,
};
use crate::results::RunFolder;
use crate::strategy::Registry;
use crate::suggest::{did_you_mean, nearest};

/// What the tables of several runs are called.
const TABLES: [&str; 2] = ["backends", "price"];

/// Whether a table of this name is made here.
pub(super) fn is_table(name: &str) -> bool {
    TABLES.contains(&name)
}

/// The overview of these runs, in a form.
pub(super) fn made(
    dirs: &[PathBuf],
    format: Format,
    table: Option<&str>,
    strategies: &[String],
    save: bool,
    registry: &Registry,
) -> anyhow::Result<String> {
    if save {
        return Err(UsageError(
            "--save: the runs are several; write the page to a file, with `--format html > index.html`".to_owned(),
        )
        .into());
    }
    let open = |dir: &PathBuf| -> anyhow::Result<(RunFolder, Derived)> {
        let folder = RunFolder::open(dir, registry)?;
        let derived = Derived::open(&folder, registry)?;
        Ok((folder, derived))
    };
    let runs: Vec<(RunFolder, Derived)> = dirs.iter().map(open).collect::<Result<_, _>>()?;
    let first = &runs[0].0;
    if let Some((other, _)) = runs.iter().find(|(folder, _)| folder.experiment.name != first.experiment.name) {
        return Err(UsageError(format!(
            "{} is a run of '{}', and {} one of '{}': name runs of one experiment on several backends, or compare two with `oncelab compare`",
            first.path().display(), first.experiment.name, other.path().display(), other.experiment.name
        ))
        .into());
    }
    let home = common_parent(dirs);
    let on = |(folder, derived): &'_ (RunFolder, Derived)| -> String {
        let _ = derived;
        folder.path().strip_prefix(&home).unwrap_or(folder.path()).display().to_string()
    };
    let folders: Vec<String> = runs.iter().map(on).collect();
    let shown: Vec<_> = runs.iter().map(|(folder, derived)| derived.shown(folder)).collect();
    let of: Vec<OnBackend<'_>> = shown
        .iter()
        .zip(folders)
        .map(|(shown, folder)| OnBackend {
            summary: shown.summary,
            meta: shown.meta,
            schedules: shown.schedules,
            folder,
        })
        .collect();
    let mut overview = Overview::new(&of, registry.names());
    select(&mut overview, strategies)?;
    let command = dirs.iter().map(|dir| shell_path(dir)).collect::<Vec<_>>().join(" ");
    let around = Around {
        caption: &format!("{}: each strategy on each backend", overview.experiment),
        notes: OVERVIEW_LEGEND,
        origin: &format!("oncelab report {command}"),
    };
    match table {
        Some("backends") if format == Format::Html => {}
        Some("backends") => return Ok(one(&by_backend(&overview), &around, format)),
        Some("price") => {
            let caption = &format!("{}: what each strategy shows and costs", overview.experiment);
            return Ok(one(&by_violation(&overview), &Around { caption, ..around }, format));
        }
        Some(name) => {
            let hint = did_you_mean(nearest(name, TABLES));
            let known = TABLES.join(", ");
            return Err(
                UsageError(format!("--table: several runs have no table '{name}'{hint}; there are: {known}")).into()
            );
        }
        None => {}
    }
    Ok(match format {
        Format::Text => {
            let question = output::wrap(&format!("{}: {}", overview.experiment, overview.question));
            format!("\n{question}\n\n{}", to_text(&by_violation(&overview), 80))
        }
        Format::Md => format!(
            "# {}\n\n{}\n\n{}\n{}",
            overview.experiment,
            overview.question,
            to_markdown(&by_backend(&overview)),
            to_markdown(&by_violation(&overview))
        ),
        Format::Html => overview_to_html(&overview),
        Format::Csv => one(&by_violation(&overview), &around, format),
        Format::Tex => one(&by_backend(&overview), &around, format),
        Format::Json => serde_json::to_string_pretty(&overview)? + "\n",
    })
}

/// Leaves only these strategies; all of them where none is named.
fn select(overview: &mut Overview, strategies: &[String]) -> Result<(), UsageError> {
    let known = overview.strategies();
    if let Some(name) = strategies.iter().find(|name| !known.contains(&name.as_str())) {
        let hint = did_you_mean(nearest(name, known.iter().copied()));
        return Err(UsageError(format!("--strategies: these runs have no row of '{name}'{hint}")));
    }
    if !strategies.is_empty() {
        overview.standings.retain(|standing| strategies.contains(&standing.strategy));
    }
    Ok(())
}

/// The deepest folder that all of these lie in: where the page is meant to lie.
fn common_parent(dirs: &[PathBuf]) -> PathBuf {
    let mut common: PathBuf = dirs[0].parent().unwrap_or(Path::new("")).to_owned();
    while !dirs.iter().all(|dir| dir.starts_with(&common)) {
        if !common.pop() {
            break;
        }
    }
    common
}
