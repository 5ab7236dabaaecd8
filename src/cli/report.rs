//! `oncelab report`: shows a run in one of several forms. A pure function of the run's folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::one_table::one;
use super::{Format, UsageError, backends, legend, output, splice};
use crate::exit;
use crate::lab::Derived;
use crate::quote::shell_path;
use crate::report::{
    Align, Around, Shown, TABLES, Table, data, document, legend_of, sweep, table, table_to_html, to_csv, to_html,
    to_latex,
};
use crate::results::{Files, RunFolder, Summary, runs_below};
use crate::strategy::Registry;
use crate::suggest::{did_you_mean, nearest};

#[derive(Debug, Clone, Args)]
#[command(after_help = legend::violations())]
pub(super) struct Report {
    /// The folder of a run, or a folder of runs. With several runs of one experiment: what each strategy does on each backend
    #[arg(required_unless_present = "splice", value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// The form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Show only this table: matrix, rates, cost, waits, causes, explored or sweep; of one run or several: backends or price
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// With --table: show only the rows of these strategies
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "table")]
    strategies: Vec<String>,
    /// Make the summary, schedules and reports in the run's folder again
    #[arg(long, conflicts_with_all = ["table", "splice"])]
    save: bool,
    /// Bring the tables of this file up to date. Each table stands after a line <!-- oncelab report … --> with the command
    /// that makes the table
    #[arg(long, value_name = "FILE")]
    splice: Option<PathBuf>,
    /// With --splice: change nothing, and fail if a table of the file is not what the results say
    #[arg(long, requires = "splice")]
    check: bool,
}

impl Report {
    /// Prints the report.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        if let Some(file) = &self.splice {
            return splice::splice(file, self.dirs.first().map(PathBuf::as_path), self.check, registry);
        }
        output::print(&self.made(registry)?)?;
        Ok(ExitCode::from(exit::MET))
    }

    /// What it prints.
    pub fn made(&self, registry: &Registry) -> anyhow::Result<String> {
        let dir = self.dirs.first().ok_or_else(|| UsageError("name the folder of a run".to_owned()))?;
        let format = if self.json { Format::Json } else { self.format };
        if self.dirs.len() > 1 || self.table.as_deref().is_some_and(backends::is_table) {
            return backends::made(&self.dirs, format, self.table.as_deref(), &self.strategies, self.save, registry);
        }
        if !dir.join(Files::META).is_file() && !runs_below(dir).is_empty() {
            return index(dir, format, registry);
        }
        let folder = if self.save { RunFolder::open_to_write(dir, registry)? } else { RunFolder::open(dir, registry)? };
        let mut derived = if self.save { Derived::save(&folder, registry)? } else { Derived::open(&folder, registry)? };
        select(&mut derived.summary, &self.strategies)?;
        let shown = derived.shown(&folder);
        let origin = || format!("oncelab report {}; made by {}", shell_path(dir), folder.meta.command());
        if let Some(name) = &self.table {
            return Ok(single(&shown, name)?
                .iter()
                .map(|(title, notes, table)| one(table, &Around { caption: title, notes, origin: &origin() }, format))
                .collect());
        }
        Ok(match format {
            Format::Text => output::run_as_text(&shown),
            Format::Md => document(&shown),
            Format::Html => to_html(&shown),
            Format::Csv => to_csv(&data(&derived.summary)),
            Format::Tex => ["matrix", "cost"]
                .iter()
                .flat_map(|name| single(&shown, name).unwrap_or_default())
                .map(|(title, notes, table)| to_latex(&table, &Around { caption: &title, notes, origin: &origin() }))
                .collect(),
            Format::Json => serde_json::to_string_pretty(&derived.summary)? + "\n",
        })
    }
}

/// Leaves only the cells of these strategies; all of them where none is named.
fn select(summary: &mut Summary, strategies: &[String]) -> Result<(), UsageError> {
    let known: Vec<&str> = summary.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    if let Some(name) = strategies.iter().find(|name| !known.contains(&name.as_str())) {
        let hint = did_you_mean(nearest(name, known.iter().copied()));
        return Err(UsageError(format!("--strategies: this run has no row of '{name}'{hint}")));
    }
    if !strategies.is_empty() {
        summary.cells.retain(|cell| strategies.contains(&cell.strategy));
    }
    Ok(())
}

/// The tables of a name, each with its title and how to read it.
fn single(shown: &Shown<'_>, name: &str) -> Result<Vec<(String, &'static str, Table)>, UsageError> {
    let title = |name: &str| format!("{}: {}", shown.summary.experiment, name);
    if name == "sweep" {
        let views = sweep(shown.summary, shown.experiment);
        if views.is_empty() {
            return Err(UsageError(format!(
                "--table sweep: the experiment '{}' has no sweep",
                shown.summary.experiment
            )));
        }
        return Ok(views.into_iter().map(|view| (view.title, "", view.table)).collect());
    }
    match table(shown.summary, name) {
        Some(table) => Ok(vec![(title(name), legend_of(shown.summary, name), table.without_empty_columns())]),
        None if TABLES.contains(&name) => {
            Err(UsageError(format!("--table {name}: this run has no figures for this table")))
        }
        None => {
            let hint = did_you_mean(nearest(name, TABLES));
            Err(UsageError(format!(
                "--table: no table is named '{name}'{hint}; there are: {}, sweep, backends, price",
                TABLES.join(", ")
            )))
        }
    }
}

/// The runs of a folder, newest last.
fn index(dir: &Path, format: Format, registry: &Registry) -> anyhow::Result<String> {
    let columns = ["run", "experiment", "started", "store", "lock", "seed", "trials", "verdict", "held exactly once"];
    let mut table = Table::new(&columns.map(|name| (name, Align::Left)));
    let mut links = Vec::new();
    for path in runs_below(dir) {
        let name = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
        let row = RunFolder::open(&path, registry).map_err(anyhow::Error::from).and_then(|folder| {
            let summary = Derived::open(&folder, registry)?.summary;
            let held: Vec<&str> = crate::report::held(&summary);
            let meta = &folder.meta;
            Ok([
                meta.experiment.clone(),
                meta.started.clone(),
                meta.store.clone(),
                meta.lock.clone(),
                meta.seed.to_string(),
                format!("{} of {}", summary.trials, summary.trials_planned),
                if summary.met { "as expected".to_owned() } else { format!("NOT as expected: {}", summary.verdict) },
                held.join(" "),
            ])
        });
        // One that cannot be read is listed with the reason.
        let row = row.unwrap_or_else(|error| {
            let mut row: [String; 8] = Default::default();
            row[7] = format!("cannot be read: {error}");
            row
        });
        table.push(std::iter::once(name.clone()).chain(row).map(|value| vec![value]).collect());
        links.push(if path.join(Files::PAGE).is_file() { format!("{name}/{}", Files::PAGE) } else { String::new() });
    }
    let title = format!("Runs in {}", dir.display());
    Ok(match format {
        Format::Html => table_to_html(&title, &table, &links),
        format => {
            let origin = format!("oncelab report {}", shell_path(dir));
            one(&table, &Around { caption: &title, notes: "", origin: &origin }, format)
        }
    })
}
