//! Servers as containers, through testcontainers. What it has no word for (kill, lists) goes to the same Docker
//! engine through its client.

mod kafka;
mod mariadb;
mod redis;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::{IntoContainerPort, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt, TestcontainersError};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

use super::etcd_cluster::{self, Member, Seat};
use super::leftovers::{Process, Space};
use super::{
    EtcdShape, Keeps, Server, Source, Started, failed, free_port, guardian, temporary_folder, wait_until_it_answers,
};
use crate::service::store::postgres;
use crate::service::{BackendError, Pending, password};
pub(super) use kafka::kafka;
pub(super) use mariadb::mariadb;
pub(super) use redis::redis;

/// The label that names the lab whose container it is, and the one for where that lab's process runs: process
/// numbers mean something only there.
const LAB: &str = "oncelab.lab";
const PLACE: &str = "oncelab.place";

/// Where servers keep their data within their containers.
const POSTGRES_DATA: &str = "/var/lib/postgresql/data";
const ETCD_DATA: &str = "/var/lib/etcd";

/// Where etcd's members see the folder with their sockets.
const MEETING: &str = "/run/oncelab";

/// How long the engine may take to say that it is there.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long to try whether a container's own address leads to it.
const DIRECT_TIMEOUT: Duration = Duration::from_millis(500);

/// How often a port is tried that another program took between the choosing and the using.
const PORT_ATTEMPTS: u8 = 3;

/// A server's container. Dropped, it is removed with what it kept.
struct ServerContainer {
    backend: &'static str,
    name: String,
    url: String,
    container: ContainerAsync<GenericImage>,
    // Removed when the container is gone.
    /// Its place in its cluster, if it is a member of one.
    seat: Option<Seat>,
    /// What it keeps, where that is outside the container.
    _home: Option<tempfile::TempDir>,
}

/// Starts PostgreSQL.
pub(super) async fn postgres(source: &Source) -> Result<Started, BackendError> {
    engine("postgres").await?;
    let image = &source.images.postgres;
    let (admin, own) = (password::draw(), password::draw());
    let request = || {
        let request = generic(image, POSTGRES_DATA, source.keeps).with_env_var("POSTGRES_PASSWORD", &admin);
        let request = request.with_env_var("PGDATA", POSTGRES_DATA);
        let request = request.with_env_var("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256");
        let request = request.with_env_var("POSTGRES_INITDB_ARGS", "--no-sync --encoding=UTF8 --locale=C");
        request.with_cmd(["postgres", "-c", "max_connections=300"])
    };
    let (container, address) = start("postgres", request, 5432, source.restarts).await?;
    let server = ServerContainer {
        backend: "postgres",
        name: "postgres".to_owned(),
        url: format!("postgres://oncelab:{own}@{address}/oncelab"),
        container,
        seat: None,
        _home: None,
    };
    let superuser = format!("postgres://postgres:{admin}@{address}/postgres");
    server.wait_until_it_answers(&superuser).await?;
    postgres::admit(&superuser, &own).await?;
    Ok(Started { how: format!("container from {image}"), servers: vec![Box::new(server)] })
}

/// Starts etcd's members. Each runs as this user, without a network: its sockets are in a folder that it shares with the lab.
pub(super) async fn etcd(source: &Source, shape: &EtcdShape) -> Result<Started, BackendError> {
    if !cfg!(target_os = "linux") {
        return Err(BackendError {
            backend: "etcd",
            what: "its container shares sockets with the lab, which only a Docker engine on Linux can do".to_owned(),
            remedy: Some("use --provision process, or start one yourself and name it with --lock-url".to_owned()),
        });
    }
    let docker = engine("etcd").await?;
    let image = &source.images.etcd;
    let (user, remaps) = user_of_this_process(&docker).await;
    // What the members keep is in folders of this user's: those of the image are another's.
    let homes = (0..shape.members).map(|_| temporary_folder("etcd", source.keeps)).collect::<Result<Vec<_>, _>>()?;
    let members = etcd_cluster::plan(shape, |_| format!("{ETCD_DATA}/data"))?;
    let starting = members.iter().zip(&homes).map(|(member, home)| {
        let shared = |folder: &Path, inner: &str| Mount::bind_mount(folder.display().to_string(), inner);
        let command = std::iter::once("etcd".to_owned()).chain(member.flags.iter().cloned());
        let request = generic(image, ETCD_DATA, Keeps::OnDisk).with_cmd(command).with_working_dir(MEETING);
        let request = request.with_user(&user).with_network("none").with_mount(shared(member.seat.meeting(), MEETING));
        // Where there is SELinux it lets no container into a folder of this machine's otherwise.
        let request = request.with_security_opt("label=disable");
        let request = if remaps { request.with_userns_mode("host") } else { request };
        let request = request.with_mount(shared(home.path(), ETCD_DATA));
        async move {
            let image = request.descriptor();
            request.start().await.map_err(|error| not_started("etcd", &image, &error))
        }
    });
    let started = futures_util::future::join_all(starting).await;
    let mut servers = Vec::new();
    for ((started, Member { name, seat, .. }), home) in started.into_iter().zip(members).zip(homes) {
        servers.push(ServerContainer {
            backend: "etcd",
            name,
            url: seat.url.clone(),
            container: started?,
            seat: Some(seat),
            _home: Some(home),
        });
    }
    for server in &servers {
        server.wait_until_it_answers(&server.url).await?;
    }
    let boxed = |server| Box::new(server) as Box<dyn Server>;
    Ok(Started { how: format!("container from {image}"), servers: servers.into_iter().map(boxed).collect() })
}

/// This process's user as the containers know him, and whether they must be told to know users by the same numbers. To an engine that
/// runs as this user, he is their root.
async fn user_of_this_process(docker: &Docker) -> (String, bool) {
    let info = timeout(ENGINE_TIMEOUT, docker.info()).await;
    let options = info.ok().and_then(Result::ok).and_then(|info| info.security_options).unwrap_or_default();
    let has = |word: &str| options.iter().any(|option| option.contains(word));
    if has("rootless") {
        return ("0:0".to_owned(), false);
    }
    let own = format!("{}:{}", rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    (own, has("userns"))
}

/// Why there are no containers to be had without asking a registry.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoContainers {
    #[error("no Docker engine answers")]
    Engine,
    #[error("the Docker engine has no image {0}")]
    Image(String),
}

/// Whether containers can be had from this image without asking a registry.
pub(super) async fn has_image(image: &str) -> Result<(), NoContainers> {
    let docker = engine("docker").await.map_err(|_| NoContainers::Engine)?;
    let found = timeout(ENGINE_TIMEOUT, docker.inspect_image(image)).await;
    match found {
        Ok(Ok(_)) => Ok(()),
        _ => Err(NoContainers::Image(image.to_owned())),
    }
}

/// The Docker engine, if it answers.
async fn engine(backend: &'static str) -> Result<Docker, BackendError> {
    let absent = |why: String| BackendError {
        backend,
        what: format!("no Docker engine answers: {why}"),
        remedy: Some("start Docker, or use --provision process or a URL".to_owned()),
    };
    let docker = docker_client_instance().await.map_err(|error| absent(error.to_string()))?;
    match timeout(ENGINE_TIMEOUT, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(absent(error.to_string())),
        Err(_elapsed) => Err(absent(format!("nothing within {} s", ENGINE_TIMEOUT.as_secs()))),
    }
}

/// A request for a container from an image, which keeps its data in this folder.
fn generic(image: &str, data: &str, keeps: Keeps) -> ContainerRequest<GenericImage> {
    // A colon before the last slash belongs to the registry's address.
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    };
    let lab = Process::this().to_string();
    guardian::watch_label(&format!("{LAB}={lab}"));
    let request = GenericImage::new(name, tag).with_label(LAB, lab).with_label(PLACE, Space::this().to_string());
    match keeps {
        Keeps::OnDisk => request,
        Keeps::InMemory => request.with_mount(Mount::tmpfs_mount(data)),
    }
}

/// Starts a container, with a port of the loopback interface that leads to one of its own and stays the same over restarts.
async fn start(
    backend: &'static str,
    request: impl Fn() -> ContainerRequest<GenericImage>,
    inner: u16,
    restarts: bool,
) -> Result<(ContainerAsync<GenericImage>, SocketAddr), BackendError> {
    let mut attempt = 1;
    loop {
        let port = free_port().map_err(|error| failed(backend, &error.to_string()))?;
        let bind = move |config: &mut HostConfig| {
            let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_string()) };
            config.publish_all_ports = Some(false);
            config.port_bindings = Some(HashMap::from([(format!("{inner}/tcp"), Some(vec![binding]))]));
        };
        let request = request().with_mapped_port(port, inner.tcp()).with_host_config_modifier(bind);
        let image = request.descriptor();
        match request.start().await {
            Ok(container) => {
                let direct = if restarts { None } else { direct(&container, inner).await };
                return Ok((container, direct.unwrap_or((Ipv4Addr::LOCALHOST, port).into())));
            }
            Err(error) if error.to_string().contains("port is already allocated") && attempt < PORT_ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(not_started(backend, &image, &error)),
        }
    }
}

/// The container's own address, if it can be reached from here, as on Linux: the way through a port of this machine leads
/// through a proxy of Docker's, which costs more than some of the operations. It may be another one after a restart.
async fn direct(container: &ContainerAsync<GenericImage>, inner: u16) -> Option<SocketAddr> {
    let address = SocketAddr::new(container.get_bridge_ip_address().await.ok()?, inner);
    let deadline = Instant::now() + DIRECT_TIMEOUT;
    loop {
        match timeout(DIRECT_TIMEOUT, TcpStream::connect(address)).await.ok()? {
            Ok(_) => return Some(address),
            // Nobody listens there yet; but somebody said so.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Some(address),
            Err(_) if Instant::now() > deadline => return None,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn not_started(backend: &'static str, image: &str, error: &TestcontainersError) -> BackendError {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let what = chain.last().map(ToString::to_string).unwrap_or_default();
    let text = error.to_string();
    let remedy = if text.contains("pull") || what.contains("No such image") {
        let (flag, variable) = match backend {
            "postgres" => ("--postgres-image", "ONCELAB_POSTGRES_IMAGE"),
            "mariadb" => ("--mariadb-image", "ONCELAB_MARIADB_IMAGE"),
            "redis" => ("--redis-image", "ONCELAB_REDIS_IMAGE"),
            "kafka" => ("--kafka-image", "ONCELAB_KAFKA_IMAGE"),
            _ => ("--etcd-image", "ONCELAB_ETCD_IMAGE"),
        };
        format!(
            "build images without a registry as images/README.md says and name them with {flag} or {variable}, or use --provision process"
        )
    } else {
        "see `docker logs`, or use --provision process".to_owned()
    };
    BackendError { backend, what: format!("no container could be started from {image}: {what}"), remedy: Some(remedy) }
}

/// Removes the containers of labs that are gone.
pub(super) async fn remove_leftovers() {
    let Ok(docker) = engine("docker").await else { return };
    let ours = HashMap::from([("label".to_owned(), vec![format!("{PLACE}={}", Space::this())])]);
    let is_orphan = |labels: Option<HashMap<String, String>>| {
        labels.and_then(|labels| Process::parse(labels.get(LAB)?)).is_some_and(|lab| lab.is_gone())
    };
    let list = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    for container in docker.list_containers(Some(list)).await.unwrap_or_default() {
        if let (Some(id), true) = (container.id, is_orphan(container.labels)) {
            let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            let _ = docker.remove_container(&id, Some(force)).await;
        }
    }
}

impl ServerContainer {
    async fn wait_until_it_answers(&self, url: &str) -> Result<(), BackendError> {
        let waited = wait_until_it_answers(self.backend, url, || Ok(())).await;
        if let Err(error) = waited {
            let said = self.container.stderr_to_vec().await.unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            let what = format!("{}; its log ends: {}", error.what, last.join(" | "));
            let remedy = self.seat.as_ref().map(|_| {
                "its socket is in a folder of this machine's, so the Docker engine must run on this machine and see the same folders: use \
                 --provision process where it does not"
                    .to_owned()
            });
            return Err(BackendError { what, remedy: remedy.or(error.remedy), ..error });
        }
        Ok(())
    }

    async fn docker(&self) -> Result<Docker, BackendError> {
        docker_client_instance().await.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> BackendError {
        let what = format!("the container of {} does not do as it is told: {error}", self.name);
        BackendError { backend: self.backend, what, remedy: Some("see `docker ps` and `docker logs`".to_owned()) }
    }

    async fn kill_it(&self) -> Result<(), BackendError> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        let killed = self.docker().await?.kill_container(self.container.id(), Some(options)).await;
        killed.map_err(|error| self.broken(&error))?;
        // The engine says so before the process is gone.
        while self.container.is_running().await.map_err(|error| self.broken(&error))? {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn start_again(&self) -> Result<(), BackendError> {
        self.seat.as_ref().map_or(Ok(()), Seat::clear)?;
        let started = self.docker().await?.start_container(self.container.id(), None::<StartContainerOptions>).await;
        started.map_err(|error| self.broken(&error))
    }

    fn seat(&self) -> Result<&Seat, BackendError> {
        self.seat.as_ref().ok_or_else(|| failed(self.backend, "it has no peers to be cut off from"))
    }
}

impl Server for ServerContainer {
    fn name(&self) -> &str {
        &self.name
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn pause(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async { self.container.pause().await.map_err(|error| self.broken(&error)) })
    }

    fn resume(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async { self.container.unpause().await.map_err(|error| self.broken(&error)) })
    }

    fn kill(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.kill_it())
    }

    fn restart(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(self.start_again())
    }

    fn isolate(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async { self.seat()?.leave().await })
    }

    fn rejoin(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(std::future::ready(self.seat().and_then(Seat::join)))
    }
}
