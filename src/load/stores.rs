//! The stores of a trial, asked one after the other. What one of them cannot do is an error that names its role.

use std::time::Duration;

use super::error::TrialError;
use super::setting::Setting;
use crate::service::{BackendError, Pending, Store, Usage};
use crate::terms::{Balances, ByRole, Ledgers, Role};

/// How long a store may take for what the lab asks of it: far longer than any takes that is well.
const LIMIT: Duration = Duration::from_secs(120);

/// Asks the store in a role for something.
async fn ask<T>(role: Role, asked: Pending<'_, Result<T, BackendError>>) -> Result<T, TrialError> {
    let slow = |_| BackendError {
        backend: role.title(),
        what: format!("it has not answered the lab for {} s", LIMIT.as_secs()),
        remedy: Some("see what its server is busy with, and finish the run with --resume".to_owned()),
    };
    let answered = tokio::time::timeout(LIMIT, asked).await.map_err(slow);
    answered.and_then(std::convert::identity).map_err(|error| TrialError::at(role, error))
}

fn all(setting: &Setting) -> impl Iterator<Item = (Role, &dyn Store)> {
    setting.stores.iter().map(|(role, store)| (*role, store.as_ref()))
}

/// Empties all of them, and opens so many accounts in each.
pub(super) async fn reset(setting: &Setting) -> Result<(), TrialError> {
    for (role, store) in all(setting) {
        ask(role, store.reset(setting.load.accounts.get())).await?;
    }
    Ok(())
}

/// Waits until nothing is under way at any of them on connections that have been closed.
pub(super) async fn quiesce(setting: &Setting) -> Result<(), TrialError> {
    for (role, store) in all(setting) {
        ask(role, store.quiesce()).await?;
    }
    Ok(())
}

/// What they keep and have written, together.
pub(super) async fn usage(setting: &Setting) -> Result<Usage, TrialError> {
    let mut sum: Option<Usage> = None;
    for (role, store) in all(setting) {
        let its = ask(role, store.usage()).await?;
        sum = Some(sum.map_or(its, |others| others.and(&its)));
    }
    Ok(sum.unwrap_or_default())
}

/// The ledger of each.
pub(super) async fn ledgers(setting: &Setting) -> Result<Ledgers, TrialError> {
    let mut ledgers = Ledgers::default();
    for (role, store) in all(setting) {
        ledgers[role] = ask(role, store.ledger()).await?;
    }
    Ok(ledgers)
}

/// The balance of each account of each.
pub(super) async fn balances(setting: &Setting) -> Result<ByRole<Balances>, TrialError> {
    let mut balances = ByRole::<Balances>::default();
    for (role, store) in all(setting) {
        balances[role] = ask(role, store.balances()).await?;
    }
    Ok(balances)
}
