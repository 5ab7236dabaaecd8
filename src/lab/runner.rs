//! The runner: brings every trial of an experiment to its end, and saves each before it starts the next.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{judged, trials_of};
use crate::check::Evidence;
use crate::experiment::{Experiment, ExperimentError, Point, TrialPlan};
use crate::load::Outside;
use crate::load::Patience;
use crate::load::watched;
use crate::load::{Setting, TrialError, TrialRecord, backends_of, stores_of};
use crate::results::{FileError, Header, RunFolder, SCHEMA, TrialRow};
use crate::service::provision::version_of_http_proxy;
use crate::service::{BackendError, Backends, TrialSite};
use crate::strategy::{Registry, UnknownStrategy};
use crate::terms::Via;

/// Whoever watches a run.
pub trait RunWatch: Send {
    /// A trial begins: the `number`-th of `of`, from 1.
    fn begins(&mut self, number: usize, of: usize, trial: &TrialPlan);
    /// So many requests of the trial are done with.
    fn has_done(&mut self, requests: u64);
    /// A trial is over and saved.
    fn ended(&mut self, row: &TrialRow);
    /// A trial has failed, and the next one begins.
    fn failed(&mut self, trial: &str, why: &TrialError);
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Complete,
    /// Complete but for trials that failed since a service which they alone need could not be used.
    WithoutService,
    /// Stopped before the end; the finished trials are saved.
    Interrupted,
}

/// Why a run could not go on. The trials finished before are saved.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Strategy(#[from] UnknownStrategy),
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("trial {trial}: {source}")]
    Trial { trial: String, source: TrialError },
    #[error(transparent)]
    File(#[from] FileError),
}

/// Runs the trials of a run's experiment that its folder does not have yet. A trial that fails because of its strategy, or because of
/// a service that other strategies do not need, is noted in the folder, and the others go on.
///
/// # Errors
/// [`RunError`]; what was finished before is in the folder.
pub async fn run(
    folder: &mut RunFolder,
    registry: &Registry,
    backends: &Backends,
    stop: &CancellationToken,
    watch: &mut dyn RunWatch,
) -> Result<Ending, RunError> {
    let experiment = folder.experiment.clone();
    let trials = trials_of(&folder.meta, &experiment, registry);
    let points: Result<BTreeMap<Point, Experiment>, ExperimentError> =
        experiment.points().into_iter().map(|point| Ok((point.clone(), experiment.at(&point, registry)?))).collect();
    let points = points?;
    let mut failures = Failures::default();
    for (number, trial) in (1..).zip(&trials) {
        let id = trial.id();
        if folder.rows().iter().any(|row| row.trial == id) {
            continue;
        }
        watch.begins(number, trials.len(), trial);
        let here = &points[&trial.cell.point];
        let setting = match setting(trial, here, registry, backends, &lock_prefix(folder.path())) {
            Ok(setting) => Arc::new(setting),
            Err(RunError::Trial { source, .. }) if source.leaves_the_others() => {
                failures.note(folder, watch, id, &source)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let patience = Patience::with(&setting.load, &setting.backend, &setting.level, setting.lease);
        let record = match watched(&setting, patience, stop, &mut |requests| watch.has_done(requests)).await {
            None => return Ok(Ending::Interrupted),
            Some(Ok(record)) => record,
            Some(Err(error)) if error.leaves_the_others() => {
                failures.note(folder, watch, id, &error)?;
                continue;
            }
            Some(Err(source)) => return Err(RunError::Trial { trial: id, source }),
        };
        let row = tokio::task::block_in_place(|| save(folder, trial, &setting, backends, &record))?;
        folder.add(row.clone())?;
        watch.ended(&row);
    }
    Ok(failures.ending())
}

/// The trials that have failed.
#[derive(Default)]
struct Failures {
    of_strategies: usize,
    of_services: usize,
}

impl Failures {
    /// Notes a failure in the run's folder.
    fn note(
        &mut self,
        folder: &mut RunFolder,
        watch: &mut dyn RunWatch,
        trial: String,
        why: &TrialError,
    ) -> Result<(), FileError> {
        let count = if why.is_of_one_role() { &mut self.of_services } else { &mut self.of_strategies };
        *count += 1;
        watch.failed(&trial, why);
        folder.fail(trial, why.to_string())
    }

    fn ending(&self) -> Ending {
        if self.of_services > 0 && self.of_strategies == 0 { Ending::WithoutService } else { Ending::Complete }
    }
}

/// What the keys of a run's locks begin with: never another run's on the same lock service.
#[must_use]
pub fn lock_prefix(run: &Path) -> String {
    format!("oncelab/{}", run.display())
}

/// The hop between the clients and the handlers of an experiment, as a setting of its run; none inside the process. A proxy is named with
/// its version.
///
/// # Errors
/// [`BackendError`] names the package of the proxy that is not installed.
pub(crate) fn hop_of(experiment: &Experiment) -> Result<Option<(String, String)>, BackendError> {
    let settings = experiment.hop();
    if settings.hop.is_inside() {
        return Ok(None);
    }
    let version = match &settings.via {
        Some(Via::Started(proxy)) => format!(" ({})", version_of_http_proxy(*proxy)?),
        Some(Via::At(_)) | None => String::new(),
    };
    Ok(Some(("hop".to_owned(), format!("{settings}{version}"))))
}

fn setting(
    trial: &TrialPlan,
    experiment: &Experiment,
    registry: &Registry,
    backends: &Backends,
    run: &str,
) -> Result<Setting, RunError> {
    let strategy = registry.get(&trial.cell.strategy)?;
    let level = experiment.faults.iter().find(|level| level.name == trial.cell.level);
    let prefix = format!("{run}/{}", trial.id());
    let roles: Vec<_> = strategy.needs().iter().map(|need| need.role).collect();
    let site = TrialSite { prefix: &prefix, broker_client: experiment.backend.broker_client };
    let failed = |source| RunError::Trial { trial: trial.id(), source };
    Ok(Setting {
        backends: backends_of(strategy.as_ref(), backends, site).map_err(failed)?,
        stores: stores_of(strategy.as_ref(), backends, &prefix).map_err(failed)?,
        strategy,
        level: level.cloned().expect("the matrix is made of the experiment's levels"),
        seed: trial.seed,
        load: experiment.load.clone(),
        hop: experiment.hop(),
        backend: experiment.backend.clone(),
        store_kind: backends.store_kind(),
        lease: backends.lease_of(&roles),
        servers: Arc::downgrade(&backends.servers()),
        outside: Arc::new(Outside::here(experiment.load.handlers)),
    })
}

/// Judges a trial and saves its history.
fn save(
    folder: &RunFolder,
    trial: &TrialPlan,
    setting: &Setting,
    backends: &Backends,
    record: &TrialRecord,
) -> Result<TrialRow, FileError> {
    let lock = setting.strategy.needs_lock_service().then(|| backends.lock_name().to_owned());
    let header = Header {
        schema: SCHEMA,
        trial: trial.id(),
        strategy: trial.cell.strategy.clone(),
        faults: trial.cell.level.clone(),
        point: trial.cell.point.clone(),
        store: setting.store_kind.name().to_owned(),
        lock,
        uses: folder.meta.uses_of(setting.strategy.as_ref()),
        seed: trial.seed,
        requests: setting.load.requests.get(),
        lease_us: u64::try_from(setting.lease.as_micros()).unwrap_or(u64::MAX),
    };
    let history_sha256 = folder.save_history(&header, record)?;
    let evidence = Evidence {
        requests: &record.requests,
        events: &record.events,
        ledger: &record.ledger,
        balances: Some(&record.balances),
        effects: setting.strategy.effects_in(),
        disturbed: &record.disturbed,
        retries: setting.strategy.claim(setting.store_kind).retries,
        shape: setting.strategy.shape(),
        lease: setting.lease,
    };
    let (row, course) = judged(&header, trial.repeat, history_sha256, &setting.load, record, evidence);
    folder.save_course(&header.trial, &course)?;
    Ok(row)
}
