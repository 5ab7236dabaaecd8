//! The shortest schedules that a report shows: from the saved histories alone.

use super::lift::case;
use crate::check::{Violation, findings};
use crate::explore::Limits;
use crate::model::store::Profile;
use crate::replay::{Shortener, lift};
use crate::report::Shortened;
use crate::results::{RunFolder, Summary};
use crate::strategy::{Registry, StoreKind};

/// How many violations of a strategy are tried before none is shown.
const TRIED: usize = 10;
/// What a search may use: a report is no place for long ones.
const LIMITS: Limits = Limits { memory_bytes: 256 << 20 };

/// For each strategy that broke, the shortest schedule of its foremost violation. What cannot be lifted, or whose history is not
/// there, is left out.
pub(super) fn shortened(folder: &RunFolder, summary: &Summary, registry: &Registry) -> Vec<Shortened> {
    let profile = match folder.meta.store_kind() {
        StoreKind::Sqlite => Profile::Sqlite,
        StoreKind::Postgres => Profile::Postgres,
        StoreKind::Null => return Vec::new(),
    };
    let mut shown: Vec<Shortened> = Vec::new();
    for cell in &summary.cells {
        let counts = |kind: &Violation| {
            !cell.tolerated.contains(&kind.name()) && cell.violations.get(kind.name()).is_some_and(|count| *count > 0)
        };
        let Some(violation) = Violation::ALL.into_iter().find(counts) else { continue };
        if !shown.iter().any(|one| one.strategy == cell.strategy) {
            shown.extend(of_cell(folder, registry, (&cell.strategy, &cell.faults), violation, profile));
        }
    }
    shown
}

fn of_cell(
    folder: &RunFolder,
    registry: &Registry,
    (strategy, faults): (&str, &str),
    violation: Violation,
    profile: Profile,
) -> Option<Shortened> {
    let known = registry.get(strategy).ok()?;
    let of_cell = |row: &&crate::results::TrialRow| row.cell.strategy == strategy && row.cell.level == faults;
    let row = folder.rows().iter().filter(of_cell).find(|row| row.tally.count(violation) > 0)?;
    let saved = folder.history(&row.trial).ok()?;
    let case = case(folder, known.as_ref(), &saved);
    let found = findings(&case).into_iter().filter(|finding| finding.violation == violation).take(TRIED);
    let lifted = found.filter_map(|finding| lift(known.as_ref(), profile, &case, &finding).ok()).next()?;
    let least = Shortener::new(known.as_ref(), profile, LIMITS).shorten(&lifted, violation, &mut ()).ok()??;
    Some(Shortened {
        strategy: strategy.to_owned(),
        violation,
        schedule: least.schedule.to_string(),
        command: least.command(strategy, &options(folder)),
    })
}

/// The options that replay on the backends of the run.
fn options(folder: &RunFolder) -> String {
    let store = if folder.meta.store_kind() == StoreKind::Postgres { " --store postgres" } else { "" };
    let lock = if folder.meta.lock == "etcd" { " --lock etcd" } else { "" };
    format!("{store}{lock}")
}
