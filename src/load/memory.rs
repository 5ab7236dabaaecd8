//! What a trial needs of memory, and whether this machine has it.

use std::mem::size_of;

use super::Finished;
use crate::experiment::{Experiment, ExperimentError};
use crate::history::Event;
use crate::strategy::Registry;
use crate::terms::{AccountId, Entry, Request};

/// The fewest events of a request: it is sent, it arrives, an operation is made, it is answered, and its client hears that.
const LEAST_EVENTS: usize = 5;

/// What is kept of a request at the least.
const REQUEST: u64 =
    (size_of::<Request>() + size_of::<Finished>() + size_of::<Entry>() + LEAST_EVENTS * size_of::<Event>()) as u64;

/// What is kept of an account at the least.
const ACCOUNT: u64 = size_of::<(AccountId, i64)>() as u64;

/// A trial keeps what it records in memory until it is judged, and this machine has too little.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`load.requests` is {requests} and `load.accounts` {accounts}: a trial keeps what it records in memory and needs at least \
     {needed} MiB, and this machine has {there} MiB; lower them, e.g. --set load.requests={fits}, and raise `repeats`"
)]
pub struct DoesNotFit {
    requests: u32,
    accounts: u32,
    needed: u64,
    there: u64,
    fits: u64,
}

/// Why an experiment cannot be run on this machine.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    #[error(transparent)]
    DoesNotFit(#[from] DoesNotFit),
}

/// That every trial of an experiment fits into the memory of this machine.
///
/// # Errors
/// [`MemoryError`], with what the largest trial needs, and what there is.
pub fn require_memory(experiment: &Experiment, registry: &Registry) -> Result<(), MemoryError> {
    let Some(there) = memory() else { return Ok(()) };
    for point in experiment.points() {
        let load = experiment.at(&point, registry)?.load;
        fits(load.requests.get(), load.accounts.get(), there)?;
    }
    Ok(())
}

fn fits(requests: u32, accounts: u32, there: u64) -> Result<(), DoesNotFit> {
    let needed = u64::from(requests) * REQUEST + u64::from(accounts) * ACCOUNT;
    if needed <= there {
        return Ok(());
    }
    // Half, so that the system has something too.
    let fits = (there / 2 / REQUEST).clamp(1, u64::from(requests));
    Err(DoesNotFit { requests, accounts, needed: needed >> 20, there: there >> 20, fits })
}

/// The bytes of memory that this process can have: the machine's, or its control group's; nothing where the system does not say.
fn memory() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = machine.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let machine: u64 = 1024 * kib.filter(|kib: &u64| *kib > 0)?;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group: Option<u64> = group.and_then(|text| text.trim().parse().ok());
    Some(group.map_or(machine, |group| group.min(machine)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_what_it_needs_and_what_would_fit() {
        // A GiB holds a million requests of some 700 bytes, and not ten million.
        let gib = 1 << 30;
        assert_eq!(fits(1_000_000, 64, gib), Ok(()));
        let refused = fits(10_000_000, 64, gib).unwrap_err();
        assert_eq!(refused.needed, (10_000_000 * REQUEST + 64 * ACCOUNT) >> 20);
        assert_eq!(fits(u32::try_from(refused.fits).unwrap(), 64, gib), Ok(()));
        let said = fits(4_000_000_000, 64, gib).unwrap_err().to_string();
        assert!(said.contains("`load.requests` is 4000000000") && said.contains("this machine has 1024 MiB"), "{said}");
        assert!(fits(1_000, u32::MAX, gib).is_err());
    }
}
