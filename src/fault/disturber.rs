//! The disturber: does to the servers of a trial what its experiment states, and undoes it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::history::Clock;
use crate::service::provision::Server;
use crate::service::{BackendError, Servers};
use crate::terms::{BackendFault, Disturbance, Disturbed, Target};

/// Disturbs the servers of one trial.
pub struct Disturber {
    pub faults: Vec<BackendFault>,
    pub servers: Arc<Servers>,
    pub clock: Clock,
}

impl Disturber {
    /// Makes sure that the servers are well, disturbs them until it is stopped, and makes sure that they are well again.
    ///
    /// # Errors
    /// [`BackendError`] if a server cannot be disturbed, or does not recover.
    pub async fn run(&self, stop: &CancellationToken) -> Result<Vec<Disturbed>, BackendError> {
        if self.faults.is_empty() {
            return Ok(Vec::new());
        }
        self.servers.wait_until_healthy().await?;
        let start = Instant::now();
        let disturbed = try_join_all(self.faults.iter().map(|fault| self.repeat(fault, start, stop))).await?;
        self.servers.wait_until_healthy().await?;
        let mut disturbed = disturbed.concat();
        disturbed.sort_by_key(|disturbed| disturbed.from_ns);
        Ok(disturbed)
    }

    async fn repeat(
        &self,
        fault: &BackendFault,
        start: Instant,
        stop: &CancellationToken,
    ) -> Result<Vec<Disturbed>, BackendError> {
        let mut all = Vec::new();
        for time in (0..).map_while(|n| fault.time(n)) {
            let at = start + time;
            // What lasts longer than its interval leaves times out.
            if at < Instant::now() && time > Duration::ZERO {
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep_until(at) => {}
            }
            all.extend(self.once(fault, stop).await?);
        }
        Ok(all)
    }

    async fn once(&self, fault: &BackendFault, stop: &CancellationToken) -> Result<Vec<Disturbed>, BackendError> {
        let servers = self.servers.at(fault.target).await;
        let from_ns = self.clock.now_ns();
        self.begin(fault, &servers).await?;
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep_until(Instant::now() + fault.lasting()) => {}
        }
        self.end(fault, &servers).await?;
        let until_ns = self.clock.now_ns();
        if fault.fault == Disturbance::Kill {
            self.servers.wait_until_healthy().await?;
        }
        let names: Vec<String> = match (fault.fault, fault.target) {
            (Disturbance::Partition, Target::Store | Target::Lock | Target::Cache) => {
                vec![format!("the way to the {}", fault.target)]
            }
            (Disturbance::Pause | Disturbance::Kill, _) | (Disturbance::Partition, Target::LockLeader) => {
                servers.iter().map(|server| server.name().to_owned()).collect()
            }
        };
        let disturbed = |server| Disturbed { disturbed: fault.fault, target: fault.target, server, from_ns, until_ns };
        Ok(names.into_iter().map(disturbed).collect())
    }

    async fn begin(&self, fault: &BackendFault, servers: &[&dyn Server]) -> Result<(), BackendError> {
        match (fault.fault, fault.target) {
            (Disturbance::Pause, _) => try_join_all(servers.iter().map(|server| server.pause())).await.map(drop),
            (Disturbance::Kill, _) => try_join_all(servers.iter().map(|server| server.kill())).await.map(drop),
            (Disturbance::Partition, Target::LockLeader) => {
                try_join_all(servers.iter().map(|server| server.isolate())).await.map(drop)
            }
            (Disturbance::Partition, target) => {
                self.servers.relays(target).iter().for_each(crate::service::provision::Relay::cut);
                Ok(())
            }
        }
    }

    async fn end(&self, fault: &BackendFault, servers: &[&dyn Server]) -> Result<(), BackendError> {
        match (fault.fault, fault.target) {
            (Disturbance::Pause, _) => try_join_all(servers.iter().map(|server| server.resume())).await.map(drop),
            (Disturbance::Kill, _) => try_join_all(servers.iter().map(|server| server.restart())).await.map(drop),
            (Disturbance::Partition, Target::LockLeader) => {
                try_join_all(servers.iter().map(|server| server.rejoin())).await.map(drop)
            }
            (Disturbance::Partition, target) => {
                self.servers.relays(target).iter().for_each(crate::service::provision::Relay::heal);
                Ok(())
            }
        }
    }
}
