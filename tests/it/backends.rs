//! Real servers for tests. Where they cannot be had the tests say so and pass; with `ONCELAB_REQUIRE_BACKENDS` set, as in
//! continuous integration, they fail instead.

use std::io::Write;

use oncelab::service::etcd::LockResponse;
use oncelab::service::provision::{self, EtcdShape, Images, Provision, Source};
use oncelab::service::store::StoreResponse;
use oncelab::service::{BackendError, Connection};
use oncelab::terms::{AccountId, ClientId, Delivery, Effect, MessageId, Request};
use oncelab::world::{Op, Outcome, Response};

pub const DONE: Outcome = Outcome::Ok(Response::Store(StoreResponse::Done));
pub const LOCK_DONE: Outcome = Outcome::Ok(Response::Etcd(LockResponse::Done));

/// The servers, or nothing if they cannot be had here and need not be.
pub fn or_skip<T>(started: Result<T, BackendError>) -> Option<T> {
    match started {
        Ok(started) => Some(started),
        Err(error) if is_absent(&error) && std::env::var_os("ONCELAB_REQUIRE_BACKENDS").is_none() => {
            skipped(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Says loudly that a test has nothing to run on; where everything is required, fails.
pub fn skipped(why: &str) {
    assert!(std::env::var_os("ONCELAB_REQUIRE_BACKENDS").is_none(), "{why}");
    // Straight to the file: what a passing test prints is not shown.
    let _ = std::io::stderr().write_all(format!("\nSKIPPED: {why}\n").as_bytes());
}

/// Whether a backend is merely not there. One that is there and does not start fails the test.
fn is_absent(error: &BackendError) -> bool {
    ["not installed", "no Docker engine answers", "pull the image", "has no image", "No such image"]
        .iter()
        .any(|why| error.what.contains(why))
}

/// Servers as processes.
pub fn processes() -> Source {
    Source { provision: Provision::Process, ..Source::default() }
}

/// Servers as containers, from the images that the environment names.
pub fn containers() -> Source {
    let image = |variable: &str, default: &str| std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    let images = Images {
        postgres: image("ONCELAB_POSTGRES_IMAGE", Images::POSTGRES),
        mariadb: image("ONCELAB_MARIADB_IMAGE", Images::MARIADB),
        redis: image("ONCELAB_REDIS_IMAGE", Images::REDIS),
        etcd: image("ONCELAB_ETCD_IMAGE", Images::ETCD),
        kafka: image("ONCELAB_KAFKA_IMAGE", Images::KAFKA),
    };
    Source { provision: Provision::Container, images, ..Source::default() }
}

/// Runs a test on a runtime like the lab's own.
pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test)
}

/// Runs a test on PostgreSQL, if there is one.
pub fn on_postgres<T: Future<Output = ()>>(test: impl FnOnce(String) -> T) {
    block_on(async {
        if let Some(started) = or_skip(provision::postgres(&processes()).await) {
            test(started.urls().remove(0)).await;
        }
    });
}

/// Runs a test on MariaDB, if there is one.
pub fn on_mariadb<T: Future<Output = ()>>(test: impl FnOnce(String) -> T) {
    block_on(async {
        if let Some(started) = or_skip(provision::mariadb(&processes()).await) {
            test(started.urls().remove(0)).await;
        }
    });
}

/// Runs a test on a Redis, if there is one.
pub fn on_redis<T: Future<Output = ()>>(test: impl FnOnce(String) -> T) {
    block_on(async {
        if let Some(started) = or_skip(provision::redis(&processes(), 3).await) {
            test(started.urls().join(",")).await;
        }
    });
}

/// Runs a test on a Kafka of one broker, if there is one.
pub fn on_kafka<T: Future<Output = ()>>(test: impl FnOnce(String) -> T) {
    block_on(async {
        if let Some(started) = or_skip(provision::kafka(&processes()).await) {
            test(started.urls().remove(0)).await;
        }
    });
}

/// Runs a test on an etcd of one member, if there is one.
pub fn on_etcd<T: Future<Output = ()>>(test: impl FnOnce(String) -> T) {
    block_on(async {
        if let Some(started) = or_skip(provision::etcd(&processes(), &EtcdShape::default()).await) {
            test(started.urls().remove(0)).await;
        }
    });
}

pub async fn run(session: &mut Box<dyn Connection>, op: Op) -> Outcome {
    session.execute(op.of, Delivery::FIRST).await.unwrap()
}

pub fn request(n: u32) -> Request {
    let effect = Effect { account: AccountId(0), amount: 10 };
    Request { id: MessageId(n), client: ClientId(0), sequence: n, effect }
}
