//! Where the backends of a run come from: in the process, at a URL, or started for the run as processes or containers.

#[cfg_attr(not(feature = "containers"), path = "no_containers.rs")]
mod container;
mod etcd_cluster;
mod folder;
mod guardian;
mod kafka;
mod leftovers;
mod process;
mod relay;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{BackendError, Pending};
use crate::terms::HttpProxy;
pub(crate) use folder::{temporary_folder, what_lets_files_be_opened};
pub(crate) use relay::Relay;

/// How servers are had for which no URL is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provision {
    /// As containers if a Docker engine answers and has the image, else as processes.
    #[default]
    Auto,
    /// As containers, through the Docker engine.
    Container,
    /// As processes, from the binaries that are installed on this machine.
    Process,
    /// Not at all: only backends within this process.
    Embedded,
}

impl Provision {
    /// Every way, with its name on the command line.
    pub const NAMES: [(Provision, &'static str); 4] = [
        (Provision::Auto, "auto"),
        (Provision::Container, "container"),
        (Provision::Process, "process"),
        (Provision::Embedded, "embedded"),
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(way, _)| *way == self);
        named.expect("every way has a name").1
    }
}

/// The images that containers are started from, as `name:tag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    pub postgres: String,
    pub mariadb: String,
    pub redis: String,
    pub etcd: String,
    pub kafka: String,
}

impl Images {
    /// PostgreSQL's official image.
    pub const POSTGRES: &'static str = "postgres:17";
    /// MariaDB's official image.
    pub const MARIADB: &'static str = "mariadb:11.4";
    /// Redis' official image.
    pub const REDIS: &'static str = "redis:7.4";
    /// etcd's official image.
    pub const ETCD: &'static str = "quay.io/coreos/etcd:v3.5.21";
    /// Kafka's official image.
    pub const KAFKA: &'static str = "apache/kafka:4.3.1";
}

impl Default for Images {
    fn default() -> Self {
        Images {
            postgres: Self::POSTGRES.to_owned(),
            mariadb: Self::MARIADB.to_owned(),
            redis: Self::REDIS.to_owned(),
            etcd: Self::ETCD.to_owned(),
            kafka: Self::KAFKA.to_owned(),
        }
    }
}

/// What to start servers with.
#[derive(Debug, Clone, Default)]
pub struct Source {
    pub provision: Provision,
    pub images: Images,
    /// The program that etcd's members run as processes; the one that is installed if none.
    pub etcd_binary: Option<PathBuf>,
    /// The folder of the Kafka that runs as a process; the one that the environment names if none.
    pub kafka_home: Option<PathBuf>,
    pub keeps: Keeps,
    /// Whether the servers will be killed or cut off and come back, so that their address must be one that stays.
    pub restarts: bool,
}

/// Where servers keep their data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keeps {
    #[default]
    OnDisk,
    /// In a file system in memory, where there is one with room enough: writing through to it costs nothing.
    InMemory,
}

/// How etcd's members are started.
#[derive(Debug, Clone, Copy)]
pub struct EtcdShape {
    /// How many members: 1 or 3.
    pub members: u8,
    /// How long a member waits for its leader before it stands for election. Leases live for one and a half times as long
    /// at the least, rounded up to a second.
    pub election: Duration,
    /// Whether members can be cut off from each other: then what they send to each other goes through relays.
    pub partitions: bool,
}

impl Default for EtcdShape {
    fn default() -> Self {
        EtcdShape { members: 1, election: Duration::from_secs(1), partitions: false }
    }
}

/// A server that the lab has started, and that it may ill-treat. Dropped, it is stopped and what it kept is removed.
pub trait Server: Send + Sync {
    /// What it is called, e.g. `etcd-2`.
    fn name(&self) -> &str;

    /// What a client connects to, with the user's name and password. It stays the same over a restart.
    fn url(&self) -> &str;

    /// Stops it in its tracks: it keeps its connections, and answers nothing.
    fn pause(&self) -> Pending<'_, Result<(), BackendError>>;

    /// Lets it go on after a pause.
    fn resume(&self) -> Pending<'_, Result<(), BackendError>>;

    /// Kills it (SIGKILL), with everything that it had not written down.
    fn kill(&self) -> Pending<'_, Result<(), BackendError>>;

    /// Starts it again after it was killed, on the same data and at the same URL, and does not wait until it answers.
    fn restart(&self) -> Pending<'_, Result<(), BackendError>>;

    /// Cuts it off from the other members of its cluster.
    fn isolate(&self) -> Pending<'_, Result<(), BackendError>>;

    /// Lets it talk to the other members again.
    fn rejoin(&self) -> Pending<'_, Result<(), BackendError>>;
}

/// Servers that were started together, and how. Containers can be dropped only within a tokio runtime of several threads,
/// like the one that they were started in.
pub struct Started {
    /// In words, e.g. `container from postgres:17`.
    pub how: String,
    /// One, or the members of a cluster.
    pub servers: Vec<Box<dyn Server>>,
}

impl Started {
    /// The URL of each server, with a password.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.url().to_owned()).collect()
    }
}

/// Starts a PostgreSQL server, and waits until it answers.
///
/// # Errors
/// [`BackendError`] if it cannot be had in this way, or does not start.
pub async fn postgres(source: &Source) -> Result<Started, BackendError> {
    match chosen(source, &source.images.postgres, "postgres").await? {
        Chosen::Container(why) => Ok(container::postgres(source).await?.because(&why)),
        Chosen::Process(why) => Ok(process::postgres(source.keeps).await?.because(&why)),
    }
}

/// Starts a MariaDB server, and waits until it answers.
///
/// # Errors
/// [`BackendError`] if it cannot be had in this way, or does not start.
pub async fn mariadb(source: &Source) -> Result<Started, BackendError> {
    match chosen(source, &source.images.mariadb, "mariadb").await? {
        Chosen::Container(why) => Ok(container::mariadb(source).await?.because(&why)),
        Chosen::Process(why) => Ok(process::mariadb(source.keeps).await?.because(&why)),
    }
}

/// Starts so many Redis servers that know nothing of each other, and waits until they answer.
///
/// # Errors
/// [`BackendError`] if they cannot be had in this way, or one does not start.
pub async fn redis(source: &Source, servers: u8) -> Result<Started, BackendError> {
    let chosen = chosen(source, &source.images.redis, "redis").await?;
    let start = async |number: u8| {
        let name = if number == 1 { "redis".to_owned() } else { format!("redis-{number}") };
        match &chosen {
            Chosen::Container(why) => Ok(container::redis(source, name).await?.because(why)),
            Chosen::Process(why) => Ok(process::redis(source.keeps, name).await?.because(why)),
        }
    };
    let all = futures_util::future::try_join_all((1..=servers.max(1)).map(start)).await?;
    let mut all = all.into_iter();
    let mut first = all.next().expect("one is started at the least");
    first.servers.extend(all.flat_map(|started| started.servers));
    Ok(first)
}

/// Starts a Kafka of one broker, and waits until it gives ids to producers.
///
/// # Errors
/// [`BackendError`] if it cannot be had in this way, or does not start.
pub async fn kafka(source: &Source) -> Result<Started, BackendError> {
    let way = match (source.provision, &source.kafka_home) {
        (Provision::Auto, Some(_)) => Chosen::Process(", chosen because its folder was named".to_owned()),
        _ => chosen(source, &source.images.kafka, "kafka").await?,
    };
    match way {
        Chosen::Container(why) => Ok(container::kafka(source).await?.because(&why)),
        Chosen::Process(why) => Ok(process::kafka(source).await?.because(&why)),
    }
}

/// Starts etcd, and waits until every member answers.
///
/// # Errors
/// [`BackendError`] if it cannot be had in this way, or does not start.
pub async fn etcd(source: &Source, shape: &EtcdShape) -> Result<Started, BackendError> {
    let way = match (source.provision, &source.etcd_binary) {
        (Provision::Auto, Some(_)) => Chosen::Process(", chosen because its program was named".to_owned()),
        _ => chosen(source, &source.images.etcd, "etcd").await?,
    };
    match way {
        Chosen::Container(why) => Ok(container::etcd(source, shape).await?.because(&why)),
        Chosen::Process(why) => Ok(process::etcd(source, shape).await?.because(&why)),
    }
}

/// Starts a real HTTP proxy before two upstreams, as a process on a port of the loopback interface, and waits until it listens there. It
/// speaks HTTP/1.1 to them, and to its clients too unless it is told otherwise.
///
/// # Errors
/// [`BackendError`] if it is not installed, or does not start.
pub(crate) async fn http_proxy(
    proxy: HttpProxy,
    upstreams: [SocketAddr; 2],
    speaks_http2: bool,
) -> Result<(Started, SocketAddr), BackendError> {
    process::http_proxy(proxy, upstreams, speaks_http2).await
}

/// The version of a real HTTP proxy, in its own words.
///
/// # Errors
/// [`BackendError`] names the package, if it is not installed.
pub fn version_of_http_proxy(proxy: HttpProxy) -> Result<String, BackendError> {
    process::version_of_http_proxy(proxy)
}

/// The path of a program that comes with a backend, e.g. `pgbench`, if it is installed.
#[must_use]
pub fn binary(name: &str) -> Option<std::path::PathBuf> {
    process::find(name, "postgres").ok()
}

/// Removes what the labs that were killed have left behind on this machine: folders and processes, and if servers are to be
/// started, containers too.
pub async fn remove_leftovers(source: Option<&Source>) {
    leftovers::remove();
    if source.is_some_and(|source| matches!(source.provision, Provision::Auto | Provision::Container)) {
        container::remove_leftovers().await;
    }
}

impl Started {
    fn because(mut self, why: &str) -> Self {
        self.how.push_str(why);
        self
    }
}

/// The way that was chosen, and why if it was not asked for.
enum Chosen {
    Container(String),
    Process(String),
}

/// What to do where a server is to be within the lab's process and cannot be.
fn embedded_instead(backend: &str) -> &'static str {
    match backend {
        "redis" => "leave out --provision embedded, or use --use cache=embedded",
        _ => "leave out --provision embedded, or use --store sqlite and --lock embedded",
    }
}

async fn chosen(source: &Source, image: &str, backend: &'static str) -> Result<Chosen, BackendError> {
    match source.provision {
        Provision::Container => Ok(Chosen::Container(String::new())),
        Provision::Process => Ok(Chosen::Process(String::new())),
        Provision::Embedded => Err(BackendError {
            backend,
            what: "it does not run within the lab's process".to_owned(),
            remedy: Some(embedded_instead(backend).to_owned()),
        }),
        Provision::Auto => match container::has_image(image).await {
            Ok(()) => Ok(Chosen::Container(format!(", chosen because a Docker engine answers and has {image}"))),
            Err(why_not) if process::is_installed(backend) => {
                Ok(Chosen::Process(format!(", chosen because {why_not}")))
            }
            Err(why_not) => Err(BackendError {
                backend,
                what: format!("{why_not}, and no `{backend}` is installed"),
                remedy: Some(process::install(backend).to_owned()),
            }),
        },
    }
}

/// The settings of a Redis of the lab's: it keeps nothing on the disk.
const REDIS_SETTINGS: &str = "save \"\"\nappendonly no\ndaemonize no\nmaxclients 4000\n";

/// How long a server may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits until a server answers, as long as `is_alive` does not object.
async fn wait_until_it_answers(
    backend: &'static str,
    url: &str,
    mut is_alive: impl FnMut() -> Result<(), BackendError>,
) -> Result<(), BackendError> {
    let deadline = tokio::time::Instant::now() + START_TIMEOUT;
    loop {
        is_alive()?;
        let answer = match backend {
            "postgres" | "mariadb" => super::store::ping(url).await,
            "redis" => super::redis::driver::ping(url).await,
            "kafka" => super::kafka::driver::ping(url).await,
            _ => super::etcd::driver::ping(&url.into()).await,
        };
        match answer {
            Ok(()) => return Ok(()),
            Err(error) if tokio::time::Instant::now() > deadline => {
                let what = format!("it did not answer within {} s: {}", START_TIMEOUT.as_secs(), error.what);
                return Err(BackendError { what, ..error });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn failed(backend: &'static str, what: &str) -> BackendError {
    BackendError {
        backend,
        what: format!("the server could not be started: {what}"),
        remedy: Some(
            "start one yourself and name it with --store-url, --lock-url or --use ROLE=SERVICE@URL".to_owned(),
        ),
    }
}

/// A port of the loopback interface that nobody listens on at this moment, for a server that is told its port. If it can be, it is none
/// of those that Linux gives to outgoing connections (32768 and above, `ip_local_port_range`): one of these may be taken before the
/// server is there, or while it is down.
///
/// # Errors
/// The operating system's, if no port is free.
pub fn free_port() -> std::io::Result<u16> {
    let free = |port: u16| {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port))?;
        listener.local_addr().map(|address| address.port())
    };
    let below = std::iter::repeat_with(|| rand::random_range(10_000..32_768)).take(100);
    below.filter_map(|port| free(port).ok()).next().map_or_else(|| free(0), Ok)
}
