//! A master and its replica: how one follows the other, and what a replay does to the two.

use std::time::{Duration, Instant};

use redis::{Cmd, ConnectionAddr, cmd};

use super::driver::{NAME, RedisBackend, read};
use crate::service::{BackendError, provision};

/// How long WAIT waits for a replica that is not there, in milliseconds. One that is there has answered before.
pub(super) const PATIENCE_MS: u32 = 40;

/// How long a replica may take until it has what its master has.
const JOINING: Duration = Duration::from_secs(10);

/// What a server is told that is to keep what it has, and to get nothing more: nobody listens at that port.
pub(super) fn follows_nobody() -> Cmd {
    cmd("REPLICAOF").arg("127.0.0.1").arg(1).clone()
}

/// What a replica is told that is to become a master, with what it has.
pub(super) fn leads() -> Cmd {
    cmd("REPLICAOF").arg("NO").arg("ONE").clone()
}

fn broken(what: &str) -> BackendError {
    BackendError { backend: NAME, what: what.to_owned(), remedy: Some("see the logs of the servers".to_owned()) }
}

async fn set(of: &RedisBackend, settings: &[(&str, &str)]) -> Result<(), BackendError> {
    for (key, value) in settings {
        of.ask(cmd("CONFIG").arg("SET").arg(key).arg(value)).await?;
    }
    Ok(())
}

/// Where a replica reaches a server. One that listens on a socket only gets a port of the loopback interface, behind its password.
async fn address(of: &RedisBackend) -> Result<(String, u16), BackendError> {
    if let ConnectionAddr::Unix(_) = of.info().addr() {
        let (_, port): (String, u16) = read(of.ask(cmd("CONFIG").arg("GET").arg("port")).await?)?;
        if port != 0 {
            return Ok(("127.0.0.1".to_owned(), port));
        }
        let port = provision::free_port().map_err(|error| broken(&format!("no port is free: {error}")))?;
        set(of, &[("bind", "127.0.0.1"), ("port", &port.to_string())]).await?;
        return Ok(("127.0.0.1".to_owned(), port));
    }
    // As the server sees it: in a container it is not where the lab reaches it.
    let client: String = read(of.ask(cmd("CLIENT").arg("INFO")).await?)?;
    let own = client.split(' ').find_map(|field| field.strip_prefix("laddr=")?.rsplit_once(':'));
    let own = own.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    own.ok_or_else(|| broken("it does not say where it listens"))
}

/// Makes a server the replica of another, and waits until it has all that the other has. Both are the lab's own.
///
/// # Errors
/// [`BackendError`] if that is not possible.
pub(super) async fn attach(master: &RedisBackend, replica: &RedisBackend) -> Result<(), BackendError> {
    let password = master.info().redis_settings().password().unwrap_or_default().to_owned();
    // By way of a file it takes 20 ms. Without one the replica streams a second later: its first ACK comes too early.
    set(master, &[("repl-diskless-sync", "no"), ("hz", "100")]).await?;
    // The lab lets keys run out there too, while no master does.
    set(replica, &[("masterauth", password.as_str()), ("replica-read-only", "no"), ("hz", "100")]).await?;
    follow(master, replica).await
}

/// Lets a replica follow its master, again if need be, and waits until it has all that the master has.
///
/// # Errors
/// [`BackendError`] if it does not.
pub(super) async fn follow(master: &RedisBackend, replica: &RedisBackend) -> Result<(), BackendError> {
    let (host, port) = address(master).await?;
    replica.ask(cmd("REPLICAOF").arg(host).arg(port)).await?;
    catch_up(master).await
}

/// Waits until the replica has all that its master has. A link that is up need not stream yet.
///
/// # Errors
/// [`BackendError`] if it does not get it.
pub(super) async fn catch_up(master: &RedisBackend) -> Result<(), BackendError> {
    let deadline = Instant::now() + JOINING;
    loop {
        // WAIT is about what this connection has written.
        master.ask(cmd("SET").arg(master.keys().written()).arg(1)).await?;
        if read::<u32>(master.ask(cmd("WAIT").arg(1).arg(PATIENCE_MS)).await?)? > 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(broken("its replica does not follow"));
        }
    }
}

/// Waits until a master knows that it has no replica any more.
///
/// # Errors
/// [`BackendError`] if it goes on to have one.
pub(super) async fn is_alone(master: &RedisBackend) -> Result<(), BackendError> {
    let deadline = Instant::now() + JOINING;
    loop {
        let said: String = read(master.ask(cmd("INFO").arg("replication")).await?)?;
        if said.contains("connected_slaves:0") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(broken("its replica does not let go"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
