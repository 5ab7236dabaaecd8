//! Kafka in a container: at a port, with passwords that go there in the environment.

use testcontainers::ImageExt;

use super::super::kafka::{BrokerPlaces, BrokerSecrets, HEAP, USER, admin_url, settings, url};
use super::{ServerContainer, engine, generic, start};
use crate::service::kafka::driver::admit;
use crate::service::provision::{Source, Started};
use crate::service::{BackendError, password};

/// Where the broker keeps its data within its container.
const DATA: &str = "/var/lib/kafka/data";

/// The port that the broker listens on within its container.
const PORT: u16 = 9092;

/// A setting as the image's entry point takes it from the environment: `a.b-c_d` is `KAFKA_A_B___C__D`.
fn variable(key: &str) -> String {
    let key = key.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("KAFKA_{}", key.to_uppercase())
}

/// Starts Kafka.
pub(in crate::service::provision) async fn kafka(source: &Source) -> Result<Started, BackendError> {
    engine("kafka").await?;
    let image = &source.images.kafka;
    let secrets = BrokerSecrets { own: password::draw(), broker: password::draw() };
    let places = BrokerPlaces {
        listens: &format!("0.0.0.0:{PORT}"),
        // The lab asks one broker, and looks at no address that the broker tells.
        advertises: &format!("localhost:{PORT}"),
        controller: "127.0.0.1:9093",
        data: &format!("{DATA}/log"),
    };
    let settings = settings(&places, &secrets);
    let request = || {
        let request = generic(image, DATA, source.keeps).with_env_var("KAFKA_HEAP_OPTS", HEAP[0]);
        let request = request.with_env_var("KAFKA_JVM_PERFORMANCE_OPTS", HEAP[1..].join(" "));
        settings.iter().fold(request, |request, (key, value)| request.with_env_var(variable(key), value))
    };
    let (container, address) = start("kafka", request, PORT, source.restarts).await?;
    let server = ServerContainer {
        backend: "kafka",
        name: "kafka".to_owned(),
        url: url(&secrets, address),
        container,
        seat: None,
        _home: None,
    };
    let admin = admin_url(&secrets, address);
    server.wait_until_it_answers(&admin).await?;
    admit(&admin, USER).await?;
    // It takes a moment until every part of the broker knows.
    server.wait_until_it_answers(&server.url).await?;
    Ok(Started { how: format!("container from {image}"), servers: vec![Box::new(server)] })
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn settings_are_variables_as_the_official_image_has_them() {
        assert_eq!(variable("log.dirs"), "KAFKA_LOG_DIRS");
        assert_eq!(variable("a.b-c_d"), "KAFKA_A_B___C__D");
    }
}
