//! What stands in for containers where the lab is built without them.

use super::{EtcdShape, Source, Started};
use crate::service::BackendError;

/// What the words of [`BuiltWithout`] and of the errors have in common.
const WITHOUT: &str = "this build of the lab has no containers (the cargo feature `containers`)";

/// Why there are no containers to be had.
#[derive(Debug, thiserror::Error)]
#[error("{WITHOUT}")]
pub(super) struct BuiltWithout;

fn no_containers(backend: &'static str) -> BackendError {
    BackendError {
        backend,
        what: WITHOUT.to_owned(),
        remedy: Some("build it with `--features containers`, or use --provision process or a URL".to_owned()),
    }
}

/// Starts no PostgreSQL.
pub(super) async fn postgres(_: &Source) -> Result<Started, BackendError> {
    Err(no_containers("postgres"))
}

/// Starts no MariaDB.
pub(super) async fn mariadb(_: &Source) -> Result<Started, BackendError> {
    Err(no_containers("mariadb"))
}

/// Starts no Redis.
pub(super) async fn redis(_: &Source, _: String) -> Result<Started, BackendError> {
    Err(no_containers("redis"))
}

/// Starts no Kafka.
pub(super) async fn kafka(_: &Source) -> Result<Started, BackendError> {
    Err(no_containers("kafka"))
}

/// Starts no etcd.
pub(super) async fn etcd(_: &Source, _: &EtcdShape) -> Result<Started, BackendError> {
    Err(no_containers("etcd"))
}

/// Whether containers can be had: they cannot.
pub(super) async fn has_image(_: &str) -> Result<(), BuiltWithout> {
    Err(BuiltWithout)
}

/// There is nothing to remove that this build could have started.
pub(super) async fn remove_leftovers() {}
