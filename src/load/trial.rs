//! One trial: one strategy, one fault level, one pair of backends, one seed.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::Open01;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::{JoinError, JoinSet};
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::error::TrialError;
use super::handler::{Handler, Panic};
use super::hop::HttpHop;
use super::network::Network;
use super::residents::TurnLeft;
use super::setting::{Finished, HopCounts, Setting, TrialRecord};
use super::{residents, settle, stores};
use crate::experiment::{LoadSettings, Rate};
use crate::fault::{Alarm, Dice, Disturber, FaultyPort, Outage, Plan, Question, Surroundings};
use crate::history::{self, LONG, Recorders};
use crate::service::{Backend, Wired};
use crate::terms::{AccountId, ByRole, ClientId, Effect, Layer, Leg, MessageId, Request, Retries};

/// Runs a trial to its end: load, settling, and the reading of the ledger.
///
/// # Errors
/// [`TrialError`] if a backend broke down, or a task panicked.
pub async fn run_trial(setting: &Setting) -> Result<TrialRecord, TrialError> {
    stores::reset(setting).await?;
    let before = stores::usage(setting).await?;
    let requests = requests(setting.seed, &setting.load);
    let (recorders, collector) = history::begin();
    let around = Arc::new(surroundings(setting, recorders.clone()));

    let (faults, servers, clock) = (setting.level.backend.clone(), setting.servers.clone(), recorders.clock());
    let disturbed = setting.outside.disturb(|over| async move {
        match servers.upgrade() {
            Some(servers) => Disturber { faults, servers, clock }.run(&over).await,
            // The run is over.
            None => Ok(Vec::new()),
        }
    });
    let load = async {
        let finished = tokio::select! {
            finished = drive(setting, &requests, &around, &recorders) => finished,
            () = around.alarm.raised() => Ok(Driven::default()),
        };
        setting.outside.calm();
        finished
    };
    // Whatever was done to the backends is undone when the load is over, and they are well again before anything is read.
    let finished = load.await;
    let disturbed = disturbed.await.map_err(bug)?;
    let (Driven { mut finished, hop, turns_left }, disturbed) = (finished?, disturbed?);
    finished.sort_unstable_by_key(|f| f.message);
    around.landings.close();
    around.landings.wait().await;
    if let Some((role, error)) = around.alarm.reason() {
        return Err(TrialError::at(*role, error.clone()));
    }

    stores::quiesce(setting).await?;
    let settled = settle::retry_unresolved(setting, &requests, &finished, &around).await;
    if let Some((role, error)) = around.alarm.reason() {
        return Err(TrialError::at(*role, error.clone()));
    }
    of_strategy(setting.strategy.name(), Ok(settled))?;
    let turned = residents::last_turns(setting, turns_left, &around).await;
    if let Some((role, error)) = around.alarm.reason() {
        return Err(TrialError::at(*role, error.clone()));
    }
    of_strategy(setting.strategy.name(), Ok(turned))?;
    drop((around, recorders));
    stores::quiesce(setting).await?;
    let usage = stores::usage(setting).await?.since(&before);
    let ledger = stores::ledgers(setting).await?.joined();
    let balances = stores::balances(setting).await?;
    Ok(TrialRecord { requests, events: collector.collect(), ledger, balances, disturbed, finished, usage, hop })
}

/// The requests of a trial: the same for every strategy, since they follow from the seed.
#[must_use]
pub fn requests(seed: u64, load: &LoadSettings) -> Vec<Request> {
    let dice = Dice::new(seed);
    let clients = u32::from(load.clients.get());
    let request = |n: u32| {
        let [any, amount]: [u32; 2] = dice.roll(Question::Request(MessageId(n))).random();
        let account = if load.own_accounts { n % clients } else { any };
        Request {
            id: MessageId(n),
            client: ClientId(n % clients),
            sequence: n / clients,
            effect: Effect {
                account: AccountId(account % load.accounts),
                // Never zero: an effect that changes nothing could not be told from none in the balance.
                amount: i32::try_from(amount % 100).unwrap_or(0) + 1,
            },
        }
    };
    (0..load.requests.get()).map(request).collect()
}

fn surroundings(setting: &Setting, recorders: Recorders) -> Surroundings {
    let reached = |backend: Arc<dyn Backend>| match setting.level.layer {
        Layer::Port => backend,
        Layer::Wire => Arc::new(Wired(backend)),
    };
    let backends = ByRole(setting.backends.clone().0.map(|backend| backend.map(reached)));
    Surroundings {
        plan: Plan::new(setting.seed, setting.level.clone(), setting.lease),
        limits: setting.backend.limits(),
        layer: setting.level.layer,
        backends,
        recorders,
        landings: TaskTracker::new(),
        alarm: Alarm::default(),
        outages: ByRole::new(|role| Outage::new(setting.level.longest_outage(Leg::Service(role)))),
    }
}

/// What is known when the load is over.
#[derive(Default)]
struct Driven {
    finished: Vec<Finished>,
    hop: Option<HopCounts>,
    /// What works for the system has these left to do.
    turns_left: Vec<TurnLeft>,
}

/// Starts handlers and clients, and waits until all that they set in motion has come to rest.
async fn drive(
    setting: &Setting,
    requests: &[Request],
    around: &Arc<Surroundings>,
    recorders: &Recorders,
) -> Result<Driven, TrialError> {
    let name = setting.strategy.name();
    let retries = setting.strategy.claim(setting.store_kind).retries;
    let mut handlers = JoinSet::new();
    let (newcomers, mut residents) = residents::start(setting, around);
    let inboxes = (0..setting.load.handlers.get()).map(|number| {
        let (inbox, parcels) = unbounded_channel();
        let port = FaultyPort::new(Arc::clone(around), number, recorders.recorder(LONG))
            .with_actors(setting.strategy.actors());
        let restart = Duration::from_millis(setting.backend.restart_ms.into());
        let (strategy, outside) = (Arc::clone(&setting.strategy), Arc::clone(&setting.outside));
        let handler = Handler { number, strategy, port, restart, outside, newcomers: newcomers.clone() };
        handlers.spawn(handler.run(parcels));
        inbox
    });
    let network = Network {
        inboxes: inboxes.collect(),
        plan: Arc::new(around.plan.clone()),
        dice: Dice::new(setting.seed),
        under_way: TaskTracker::new(),
        client_timeout: setting.load.timeout(),
    };
    drop(newcomers);
    let hop = HttpHop::start(setting, &network, around).await?.map(Arc::new);
    let own_hop = hop.clone();
    let maker =
        ClientMaker { network, hop: own_hop, load: setting.load.clone(), retries, recorders: recorders.clone() };
    let under_way = maker.network.under_way.clone();
    let mut clients = match setting.load.rate_per_s {
        None => closed_loop(setting, requests, &maker),
        Some(rate) => open_loop(setting, requests, rate, maker.clone()),
    };
    drop(maker);

    let (mut finished, mut turns_left) = (Vec::with_capacity(requests.len()), Vec::new());
    loop {
        tokio::select! {
            done = clients.join_next() => match done {
                Some(done) => finished.extend(done.map_err(bug)?),
                None => break,
            },
            // While there are clients, a handler ends only if it panics.
            Some(ended) = handlers.join_next() => of_strategy(name, ended)?,
            // And what works for the system does so until there are no handlers.
            Some(ended) = residents.join_next() => turns_left.extend(of_strategy(name, ended)?),
        }
    }
    under_way.close();
    under_way.wait().await;
    let counts = hop.as_ref().map(|hop| hop.counts());
    // Its servers hold on to the handlers' inboxes.
    drop(hop);
    while let Some(ended) = handlers.join_next().await {
        of_strategy(name, ended)?;
    }
    while let Some(ended) = residents.join_next().await {
        turns_left.extend(of_strategy(name, ended)?);
    }
    Ok(Driven { finished, hop: counts, turns_left })
}

/// Makes clients.
#[derive(Clone)]
struct ClientMaker {
    network: Network,
    hop: Option<Arc<HttpHop>>,
    load: LoadSettings,
    retries: Retries,
    recorders: Recorders,
}

impl ClientMaker {
    fn client(&self, page_len: usize) -> Client {
        let lane = self.hop.as_ref().map(|hop| hop.lane());
        Client::new(self.network.clone(), lane, self.load.clone(), self.retries, self.recorders.recorder(page_len))
    }
}

/// Each client sends its next request when the last one is done with.
fn closed_loop(setting: &Setting, requests: &[Request], maker: &ClientMaker) -> JoinSet<Vec<Finished>> {
    let mut clients = JoinSet::new();
    let count = usize::from(setting.load.clients.get());
    for number in 0..count {
        let own: Vec<Request> = requests.iter().skip(number).step_by(count).copied().collect();
        let (mut client, outside) = (maker.client(LONG), Arc::clone(&setting.outside));
        clients.spawn(async move {
            let mut finished = Vec::with_capacity(own.len());
            for request in own {
                let now = client.recorder.clock().now_ns();
                finished.push(client.get_done(&request, now).await);
                outside.pulse.request_done();
            }
            finished
        });
    }
    clients
}

/// Requests start when they are due, as a Poisson process, whether or not earlier ones are done with.
fn open_loop(setting: &Setting, requests: &[Request], rate: Rate, maker: ClientMaker) -> JoinSet<Vec<Finished>> {
    /// The events that one request is likely to make its client write down.
    const PAGE: usize = 8;
    let dice = Dice::new(setting.seed);
    let interval_ns = rate.interval().as_secs_f64() * 1e9;
    let clock = maker.recorders.clock();
    let (requests, outside) = (requests.to_vec(), Arc::clone(&setting.outside));
    let mut generator = JoinSet::new();
    generator.spawn(async move {
        let mut at_work = JoinSet::new();
        let mut due_ns = clock.now_ns();
        for request in requests {
            let uniform: f64 = Open01.sample(&mut dice.roll(Question::Arrival(request.id.0)));
            // The time between two events of a Poisson process is exponential: the inverse of its distribution function.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds, never negative")]
            let gap_ns = (-uniform.ln() * interval_ns) as u64;
            due_ns += gap_ns;
            tokio::time::sleep_until(clock.instant(due_ns).into()).await;
            let (mut client, outside) = (maker.client(PAGE), Arc::clone(&outside));
            at_work.spawn(async move {
                let finished = client.get_done(&request, due_ns).await;
                outside.pulse.request_done();
                finished
            });
        }
        at_work.join_all().await
    });
    generator
}

/// How a handler ended: with what its strategy said when it panicked, or because of a bug of the lab.
fn of_strategy<T>(strategy: &'static str, ended: Result<Result<T, Panic>, JoinError>) -> Result<T, TrialError> {
    ended.map_err(bug)?.map_err(|panic| TrialError::Panicked { strategy, message: said(panic.0.as_ref()) })
}

/// A task of the lab's own that panicked.
pub(super) fn bug(error: JoinError) -> TrialError {
    let message = match error.try_into_panic() {
        Ok(panic) => said(panic.as_ref()),
        Err(cancelled) => cancelled.to_string(),
    };
    TrialError::Bug { message }
}

/// What somebody said who panicked.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_keep_to_accounts_of_their_own_where_they_are_told_to() {
        let load = LoadSettings { own_accounts: true, ..LoadSettings::default() };
        assert!(requests(7, &load).iter().all(|request| request.effect.account.0 == request.client.0));
        let mixed = LoadSettings::default();
        assert!(requests(7, &mixed).iter().any(|request| request.effect.account.0 != request.client.0));
    }
}
