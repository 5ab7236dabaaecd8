//! Redis in a container: at a port, with a password in a file of settings that is copied there.

use testcontainers::ImageExt;

use super::{ServerContainer, engine, generic, start};
use crate::service::provision::{REDIS_SETTINGS, Source, Started};
use crate::service::{BackendError, password};

/// Where the server keeps its data within its container.
const DATA: &str = "/data";

/// Where it finds its settings there. What stands among the arguments of a process everybody on this machine can read.
const SETTINGS: &str = "/etc/oncelab/redis.conf";

/// Starts a Redis of this name. It keeps nothing on the disk.
pub(in crate::service::provision) async fn redis(source: &Source, name: String) -> Result<Started, BackendError> {
    engine("redis").await?;
    let image = &source.images.redis;
    let own = password::draw();
    let settings = format!("{REDIS_SETTINGS}requirepass {own}\ndir {DATA}\n").into_bytes();
    let request = || {
        let request = generic(image, DATA, source.keeps).with_copy_to(SETTINGS, settings.clone());
        request.with_cmd(["redis-server", SETTINGS])
    };
    let (container, address) = start("redis", request, 6379, source.restarts).await?;
    let server = ServerContainer {
        backend: "redis",
        name,
        url: format!("redis://:{own}@{address}"),
        container,
        seat: None,
        _home: None,
    };
    server.wait_until_it_answers(&server.url).await?;
    Ok(Started { how: format!("container from {image}"), servers: vec![Box::new(server)] })
}
