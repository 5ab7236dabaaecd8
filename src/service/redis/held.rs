//! The Redis of a run: in this process, started for the run, or somebody else's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::driver::RedisBackend;
use super::embedded::{EmbeddedRedis, VERSION};
use super::masters::RedisMasters;
use super::replica;
use super::vote::Master;
use crate::service::provision::Started;
use crate::service::{BackendError, BackendSettings};

/// Which Redis a run wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WantedRedis {
    /// None, as far as is known: nothing listens for nobody.
    Unused,
    /// The server in this process.
    #[default]
    Embedded,
    /// So many servers that are started for the run.
    Started { servers: u8 },
    /// The servers at these URLs. They may hold passwords: they go nowhere but to the driver.
    At(Vec<String>),
}

/// The Redis of a run.
pub(crate) struct HeldRedis {
    /// How it was started, if it was started for the run.
    started: Option<String>,
    /// Of one server, or of several that know nothing of each other.
    urls: Vec<String>,
    version: Option<String>,
    clock_speed: f64,
    lease: Duration,
    timeout: Duration,
    /// Whoever lets the replica be promoted is alone with it.
    turns: Arc<tokio::sync::Mutex<()>>,
    embedded: OnceLock<Result<(Vec<EmbeddedRedis>, RedisMasters), BackendError>>,
    /// Whether somebody has asked for it.
    is_used: AtomicBool,
}

impl HeldRedis {
    /// The server in this process, started when somebody asks for it first.
    pub fn embedded(settings: &BackendSettings) -> Self {
        HeldRedis {
            started: None,
            urls: Vec::new(),
            version: None,
            clock_speed: settings.embedded_clock_speed.get(),
            lease: Duration::from_secs(u64::from(settings.lease_ttl_s.get())),
            timeout: settings.limits().operation,
            turns: Arc::default(),
            embedded: OnceLock::new(),
            is_used: AtomicBool::new(false),
        }
    }

    /// Connects to the Redis that is wanted, which has been started for the run if it was to be. Keys that live for a time live as long as a lease does.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be had.
    pub async fn reach_it(
        wanted: &WantedRedis,
        started: Option<&Started>,
        settings: &BackendSettings,
    ) -> Result<Self, BackendError> {
        let held = HeldRedis::embedded(settings);
        let urls = match wanted {
            WantedRedis::At(urls) => urls.clone(),
            _ => started.map(Started::urls).unwrap_or_default(),
        };
        let mut version = None;
        for url in &urls {
            let its = RedisBackend::new(url, "oncelab".to_owned(), held.lease, held.timeout)?.probe().await?;
            version.get_or_insert(its);
        }
        let held = HeldRedis { started: started.map(|started| started.how.clone()), urls, version, ..held };
        // On this runtime, which all share, and not on one of those of replays.
        if *wanted != WantedRedis::Unused {
            let masters = held.reach()?;
            if let (Some(replica), Some(_)) = (masters.replica(), started) {
                replica::attach(masters.first(), replica).await?;
            }
        }
        Ok(held)
    }

    /// It, as a driver asks it. Called first on a tokio runtime that lives as long as this.
    ///
    /// # Errors
    /// [`BackendError`] if the embedded server cannot be started.
    pub fn backend(&self) -> Result<RedisMasters, BackendError> {
        self.is_used.store(true, Ordering::Relaxed);
        self.reach()
    }

    fn masters(&self, first: RedisBackend, others: Vec<RedisBackend>) -> RedisMasters {
        RedisMasters::new(first, others).taking_turns(Arc::clone(&self.turns))
    }

    fn reach(&self) -> Result<RedisMasters, BackendError> {
        let backend = |url: &str| RedisBackend::new(url, "oncelab".to_owned(), self.lease, self.timeout);
        if let [first, others @ ..] = self.urls.as_slice() {
            let others = others.iter().map(|url| backend(url)).collect::<Result<_, _>>()?;
            return Ok(self.masters(backend(first)?, others));
        }
        let embedded = self.embedded.get_or_init(|| {
            let reached = |server: &EmbeddedRedis| Ok(backend(&server.url())?.at_speed(self.clock_speed));
            let start = || {
                let server = EmbeddedRedis::start(self.clock_speed)?;
                let backend = reached(&server)?;
                Ok((server, backend))
            };
            let (server, replica) = EmbeddedRedis::start_with_replica(self.clock_speed)?;
            let (first, last) = (reached(&server)?, reached(&replica)?);
            let others = (1..Master::COUNT).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
            let (mut servers, mut others): (Vec<_>, Vec<_>) = others.into_iter().unzip();
            servers.extend([server, replica]);
            others.push(last);
            Ok((servers, self.masters(first, others)))
        });
        embedded.as_ref().map(|(_, backend)| backend.clone()).map_err(Clone::clone)
    }

    /// How long a key lives on the wall clock that lives for a time.
    pub fn life(&self) -> Duration {
        if self.urls.is_empty() { self.lease.div_f64(self.clock_speed) } else { self.lease }
    }

    /// Versions and settings that matter, for `meta.json`; nothing if nobody has asked for it.
    pub fn describe(&self) -> Vec<(String, String)> {
        let server = match &self.version {
            Some(version) => format!("redis {version}"),
            None if self.is_used.load(Ordering::Relaxed) => format!("embedded, redis {VERSION}"),
            None => return Vec::new(),
        };
        let mut settings = vec![("cache_server".to_owned(), server)];
        settings.extend(self.started.iter().map(|how| ("cache_provision".to_owned(), how.clone())));
        settings.push(("cache_ttl_s".to_owned(), self.lease.as_secs().to_string()));
        settings
    }

    /// Removes the keys under a prefix from a server that stays.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn remove_traces(&self, prefix: &str) -> Result<(), BackendError> {
        if self.started.is_none() {
            for url in &self.urls {
                RedisBackend::new(url, prefix.to_owned(), self.lease, self.timeout)?.remove_keys().await?;
            }
        }
        Ok(())
    }
}
