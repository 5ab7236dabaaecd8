//! Redis as a process: on a socket in its own folder, without a network.

use std::sync::Mutex;

use rustix::process::Signal;

use super::{Home, ServerProcess, find, unprivileged};
use crate::service::provision::folder::socket_path;
use crate::service::provision::{Keeps, REDIS_SETTINGS, Started, failed};
use crate::service::{BackendError, password};

/// What it is made of.
pub(super) const BINARY: &str = "redis-server";

/// Starts a Redis of this name. It keeps nothing on the disk.
pub(in crate::service::provision) async fn redis(keeps: Keeps, name: String) -> Result<Started, BackendError> {
    let server = find(BINARY, "redis")?;
    let user = unprivileged("redis")?;
    let home = Home::new("redis", user, keeps)?;
    let own = password::draw();
    let socket = socket_path("redis", &home.server.join("socket"))?;
    // In a file that nobody else can read: what stands among the arguments of a process everybody can.
    let settings = format!(
        "{REDIS_SETTINGS}port 0\nunixsocket {socket}\nunixsocketperm 700\nrequirepass {own}\ndir {}\n",
        home.server.display()
    );
    let cannot = |error: std::io::Error| failed("redis", &error.to_string());
    let settings = home.secret("redis.conf", &settings, user).map_err(cannot)?;
    let mut command = home.command(&server, user);
    command.arg(&settings);
    let running = home.start("redis", command)?;
    let process = ServerProcess {
        backend: "redis",
        name,
        url: format!("redis+unix://{socket}?pass={own}"),
        stop: Signal::TERM,
        running: Mutex::new(running),
        seat: None,
        home,
    };
    process.wait_until_it_answers(&process.url).await?;
    Ok(Started { how: format!("process {}", server.display()), servers: vec![Box::new(process)] })
}
