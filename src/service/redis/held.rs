//! The Redis of a run: in this process, started for the run, or somebody else's.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::driver::RedisBackend;
use super::embedded::{EmbeddedRedis, VERSION};
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
    /// A server that is started for the run.
    Started,
    /// The server at this URL. May hold a password: it goes nowhere but to the driver.
    At(String),
}

/// The Redis of a run.
pub(crate) struct HeldRedis {
    /// How it was started, if it was started for the run.
    started: Option<String>,
    url: Option<String>,
    version: Option<String>,
    clock_speed: f64,
    lease: Duration,
    timeout: Duration,
    embedded: OnceLock<Result<(EmbeddedRedis, RedisBackend), BackendError>>,
    /// Whether somebody has asked for it.
    is_used: AtomicBool,
}

impl HeldRedis {
    /// The server in this process, started when somebody asks for it first.
    pub fn embedded(settings: &BackendSettings) -> Self {
        HeldRedis {
            started: None,
            url: None,
            version: None,
            clock_speed: settings.embedded_clock_speed.get(),
            lease: Duration::from_secs(u64::from(settings.lease_ttl_s.get())),
            timeout: settings.limits().operation,
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
        let url = match wanted {
            WantedRedis::At(url) => Some(url.clone()),
            _ => started.and_then(|server| server.urls().into_iter().next()),
        };
        let version = match &url {
            Some(url) => Some(RedisBackend::new(url, "oncelab".to_owned(), held.lease, held.timeout)?.probe().await?),
            None => None,
        };
        let held = HeldRedis { started: started.map(|started| started.how.clone()), url, version, ..held };
        // On this runtime, which all share, and not on one of those of replays.
        if *wanted != WantedRedis::Unused {
            held.reach()?;
        }
        Ok(held)
    }

    /// It, as a driver asks it. Called first on a tokio runtime that lives as long as this.
    ///
    /// # Errors
    /// [`BackendError`] if the embedded server cannot be started.
    pub fn backend(&self) -> Result<RedisBackend, BackendError> {
        self.is_used.store(true, Ordering::Relaxed);
        self.reach()
    }

    fn reach(&self) -> Result<RedisBackend, BackendError> {
        let backend = |url: &str| RedisBackend::new(url, "oncelab".to_owned(), self.lease, self.timeout);
        if let Some(url) = &self.url {
            return backend(url);
        }
        let embedded = self.embedded.get_or_init(|| {
            let server = EmbeddedRedis::start(self.clock_speed)?;
            let backend = backend(&server.url())?;
            Ok((server, backend))
        });
        embedded.as_ref().map(|(_, backend)| backend.clone()).map_err(Clone::clone)
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
        match &self.url {
            Some(url) if self.started.is_none() => {
                RedisBackend::new(url, prefix.to_owned(), self.lease, self.timeout)?.remove_keys().await
            }
            Some(_) | None => Ok(()),
        }
    }
}
