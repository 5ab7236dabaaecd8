//! What `backend.broker_client` cannot be: it is for runs alone, and not for every fault.

use super::UsageError;
use crate::experiment::Experiment;
use crate::results::RunFolder;
use crate::service::BrokerClient;
use crate::strategy::Registry;
use crate::terms::{FaultKind, Leg, Role};

/// That every point of an experiment can be run with the client that it reaches a broker with.
///
/// # Errors
/// [`UsageError`] says what cannot be, and what to do about it; another error if a point of the sweep cannot be.
pub(super) fn require(experiment: &Experiment, registry: &Registry) -> anyhow::Result<()> {
    for point in experiment.points() {
        let here = experiment.at(&point, registry)?;
        let client = here.backend.broker_client;
        client
            .require()
            .map_err(|error| UsageError(format!("{}: {}", error.what, error.remedy.unwrap_or_default())))?;
        let is_repeated = |kind| here.faults.iter().find(|level| level.can_happen(kind, Leg::Service(Role::BROKER)));
        if let (BrokerClient::Rdkafka, Some(level)) = (client, is_repeated(FaultKind::Duplicated)) {
            let name = &level.name;
            return Err(UsageError(format!(
                "the fault level '{name}' duplicates requests to the broker, which librdkafka would number as two records: add --set \
                 faults.{name}.broker.duplicated=0, or set backend.broker_client=bare"
            ))
            .into());
        }
    }
    Ok(())
}

/// The clients besides the lab's own connection that an experiment reaches a broker with, as a setting of its run.
///
/// # Errors
/// If a point of the sweep cannot be.
pub(super) fn described(experiment: &Experiment, registry: &Registry) -> anyhow::Result<Option<(String, String)>> {
    for point in experiment.points() {
        if let Some(client) = experiment.at(&point, registry)?.backend.broker_client.described() {
            return Ok(Some(("broker_client".to_owned(), client)));
        }
    }
    Ok(None)
}

/// That a run can be lifted into schedules: what reached its broker made one request for each operation.
///
/// # Errors
/// As [`require`].
pub(super) fn require_one_request_each(folder: &RunFolder, registry: &Registry) -> anyhow::Result<()> {
    for point in folder.experiment.points() {
        let client = folder.experiment.at(&point, registry)?.backend.broker_client;
        if client != BrokerClient::Bare {
            return Err(UsageError(
                "this run reached the broker with rdkafka, which sends again by itself, and a schedule has one request for each \
                 operation: make the run again with --set backend.broker_client=bare"
                    .to_owned(),
            )
            .into());
        }
    }
    Ok(())
}
