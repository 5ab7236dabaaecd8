//! The Kafka of a run: started for the run, or somebody else's. There is none in this process.

use std::time::Duration;

use super::driver::{KafkaBackend, NAME};
use crate::service::provision::{self, Source, Started};
use crate::service::{BackendError, BackendSettings};

/// Which Kafka a run wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WantedKafka {
    /// None, as far as is known.
    #[default]
    Unused,
    /// A broker that is started for the run.
    Started,
    /// The broker at this URL. May hold a password: it goes nowhere but to the driver.
    At(String),
}

/// What to do where a strategy needs a Kafka and none was named.
pub const NO_KAFKA: &str =
    "add --use broker=kafka, which starts one, or --use broker=kafka@URL; `oncelab explore` needs none";

/// The Kafka of a run.
pub(crate) struct HeldKafka {
    server: Option<Started>,
    backend: Option<KafkaBackend>,
    version: String,
}

impl HeldKafka {
    /// None.
    pub const NONE: HeldKafka = HeldKafka { server: None, backend: None, version: String::new() };

    /// Starts the Kafka that is wanted, or connects to it.
    ///
    /// # Errors
    /// [`BackendError`] if it cannot be had.
    pub async fn start(
        wanted: &WantedKafka,
        source: &Source,
        settings: &BackendSettings,
    ) -> Result<Self, BackendError> {
        let (server, url) = match wanted {
            WantedKafka::Unused => return Ok(HeldKafka::NONE),
            WantedKafka::At(url) => (None, url.clone()),
            WantedKafka::Started => {
                let started = provision::kafka(source).await?;
                let url = started.urls().into_iter().next().unwrap_or_default();
                (Some(started), url)
            }
        };
        let timeout: Duration = settings.limits().operation;
        // Nothing of it runs in this process: its sessions keep to the clock.
        let backend = KafkaBackend::new(&url, "oncelab", timeout)?.with_session(settings.lease(1.0));
        let version = backend.probe().await?;
        Ok(HeldKafka { server, backend: Some(backend), version })
    }

    /// It, as a driver asks it.
    ///
    /// # Errors
    /// [`BackendError`] if the run has none.
    pub fn backend(&self) -> Result<KafkaBackend, BackendError> {
        let what = "a strategy needs a Kafka, and none was named".to_owned();
        let none = || BackendError { backend: NAME, what, remedy: Some(NO_KAFKA.to_owned()) };
        self.backend.clone().ok_or_else(none)
    }

    /// How long a member of a group is one without a word from it.
    pub fn session(&self) -> Option<Duration> {
        self.backend.as_ref().map(KafkaBackend::session)
    }

    /// Versions and settings that matter, for `meta.json`; nothing if there is none.
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        settings.extend(self.backend.iter().map(|_| ("broker_server".to_owned(), format!("kafka, {}", self.version))));
        let session = self.session().map(|session| ("broker_session_ms".to_owned(), session.as_millis().to_string()));
        settings.extend(session);
        settings.extend(self.server.iter().map(|started| ("broker_provision".to_owned(), started.how.clone())));
        settings
    }

    /// Removes the topics under a prefix from a broker that stays.
    ///
    /// # Errors
    /// [`BackendError`] if that is not possible.
    pub async fn remove_traces(&self, prefix: &str) -> Result<(), BackendError> {
        match &self.backend {
            Some(backend) if self.server.is_none() => backend.remove_topics(prefix).await,
            Some(_) | None => Ok(()),
        }
    }
}
