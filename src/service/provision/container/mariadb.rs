//! MariaDB in a container: at a port, with a password that goes there in the environment.

use testcontainers::ImageExt;

use super::{ServerContainer, engine, generic, start};
use crate::service::provision::{Source, Started};
use crate::service::store::mariadb;
use crate::service::{BackendError, password};

/// Where the server keeps its data within its container.
const DATA: &str = "/var/lib/mysql";

/// Starts MariaDB. The user that strategies connect as is made by the first statements that the image's entry point carries out, which
/// lie in a folder that is copied into the container before it starts.
pub(in crate::service::provision) async fn mariadb(source: &Source) -> Result<Started, BackendError> {
    engine("mariadb").await?;
    let image = &source.images.mariadb;
    let (admin, own) = (password::draw(), password::draw());
    let first = mariadb::admit(&own, "%").into_bytes();
    let request = || {
        let request = generic(image, DATA, source.keeps).with_env_var("MARIADB_ROOT_PASSWORD", &admin);
        let request = request.with_copy_to("/docker-entrypoint-initdb.d/first.sql", first.clone());
        request.with_cmd(["mariadbd", "--max-connections=300", "--skip-name-resolve", "--character-set-server=utf8mb4"])
    };
    let (container, address) = start("mariadb", request, 3306, source.restarts).await?;
    let server = ServerContainer {
        backend: "mariadb",
        name: "mariadb".to_owned(),
        url: format!("mysql://oncelab:{own}@{address}/"),
        container,
        seat: None,
        _home: None,
    };
    server.wait_until_it_answers(&server.url).await?;
    Ok(Started { how: format!("container from {image}"), servers: vec![Box::new(server)] })
}
