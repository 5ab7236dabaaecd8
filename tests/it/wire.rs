//! Faults on the wire: on PostgreSQL and on etcd, between the unmodified drivers and the servers.

use std::sync::Arc;
use std::time::Duration;

use oncelab::service::etcd::{LockOp, LockResponse};
use oncelab::service::store::{StoreOp, StoreResponse};
use oncelab::service::{
    Backend, Connection, EmbeddedLockServer, EmbeddedOptions, Endpoint, EtcdBackend, EtcdOptions, PostgresStore, Store,
    Wired,
};
use oncelab::stats::wilson_95;
use oncelab::terms::{AccountId, Isolation, LockKey};
use oncelab::wire::{Address, Landing, Protocol, Wire, WireFault};
use oncelab::world::{Outcome, Response};

use etcd_client::{GetOptions, KvClient};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _};

use crate::backends::{DONE, LOCK_DONE, on_etcd, on_postgres, request, run};
use crate::common::{oncelab, text};

/// Long enough for something that should not happen to happen.
const A_MOMENT: Duration = Duration::from_millis(100);

async fn wired(backend: &Arc<dyn Backend>) -> (Box<dyn Connection>, Arc<Wire>) {
    let session = Wired(Arc::clone(backend)).connect().await.unwrap();
    // It has one, whatever is asked.
    let wire = session.wire(StoreOp::apply(&request(0)).into()).unwrap();
    (session, wire)
}

/// The messages whose effects the ledger holds, in the order of their numbers.
async fn ledger(store: &PostgresStore) -> Vec<u32> {
    let mut messages: Vec<u32> = store.ledger().await.unwrap().iter().map(|entry| entry.message.0).collect();
    messages.sort_unstable();
    messages
}

#[test]
fn each_fault_does_on_postgres_what_its_name_says() {
    on_postgres(|url| async move {
        let store = Arc::new(PostgresStore::connect(&url).await.unwrap());
        store.reset(1).await.unwrap();
        let backend: Arc<dyn Backend> = store.clone();
        let apply = |n| StoreOp::apply(&request(n)).into();

        // Every session is new, so that a PREPARE comes before the statement is executed for the first time.
        let (mut session, wire) = wired(&backend).await;
        wire.arm(WireFault::LoseRequest);
        assert_eq!(run(&mut session, apply(1)).await, Outcome::Unknown);
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(ledger(&store).await, [] as [u32; 0], "the request never arrived");
        assert!(!wire.disarm() && wire.requests() == 1);

        let (mut session, wire) = wired(&backend).await;
        wire.arm(WireFault::LoseReply);
        assert_eq!(run(&mut session, apply(2)).await, Outcome::Unknown);
        assert_eq!(ledger(&store).await, [2], "it was done when the connection was cut");

        let (mut session, wire) = wired(&backend).await;
        wire.arm(WireFault::Hold);
        assert_eq!(run(&mut session, apply(3)).await, Outcome::Unknown);
        drop(session);
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(ledger(&store).await, [2], "it is still in flight");
        assert_eq!(wire.release().await, Landing::Finished { failed: false });
        assert_eq!(ledger(&store).await, [2, 3], "it has landed");
        assert_eq!(wire.release().await, Landing::NothingHeld);

        let (mut session, wire) = wired(&backend).await;
        assert!(matches!(
            run(&mut session, apply(4)).await,
            Outcome::Ok(Response::Store(StoreResponse::Applied(Some(_))))
        ));
        assert!(matches!(
            run(&mut session, apply(5)).await,
            Outcome::Ok(Response::Store(StoreResponse::Applied(Some(_))))
        ));
        assert_eq!((wire.requests(), wire.connections()), (2, 1), "to prepare a statement is no request");
        store.remove().await.unwrap();
    });
}

#[test]
fn a_commit_whose_reply_is_lost_on_the_wire_has_committed() {
    on_postgres(|url| async move {
        let store = Arc::new(PostgresStore::connect(&url).await.unwrap());
        store.reset(1).await.unwrap();
        let backend: Arc<dyn Backend> = store.clone();
        for (n, fault, expected) in [(1, WireFault::LoseReply, vec![1]), (2, WireFault::LoseRequest, vec![1])] {
            let (mut session, wire) = wired(&backend).await;
            assert_eq!(run(&mut session, StoreOp::begin(Isolation::ReadCommitted).into()).await, DONE);
            run(&mut session, StoreOp::apply(&request(n)).into()).await;
            wire.arm(fault);
            assert_eq!(run(&mut session, StoreOp::commit().into()).await, Outcome::Unknown);
            drop((session, wire));
            store.quiesce().await.unwrap();
            assert_eq!(ledger(&store).await, expected, "{fault:?}");
        }
        store.remove().await.unwrap();
    });
}

/// What each fault does to the calls of a lock service.
async fn check_lock_service(endpoint: Endpoint) {
    let for_token = u64::from(endpoint.user().is_some());
    let options = EtcdOptions { endpoints: vec![endpoint], lease_ttl_s: 60, ..EtcdOptions::default() };
    let backend: Arc<dyn Backend> = Arc::new(EtcdBackend::new(options).unwrap());
    let mut direct = backend.connect().await.unwrap();
    for (account, fault, is_held) in
        [(1, WireFault::LoseRequest, false), (2, WireFault::LoseReply, true), (3, WireFault::Hold, false)]
    {
        let account = AccountId(account);
        let (mut session, wire) = wired(&backend).await;
        let Outcome::Ok(Response::Etcd(LockResponse::Granted(lease))) =
            run(&mut session, LockOp::GrantLease.into()).await
        else {
            panic!("no lease")
        };
        wire.arm(fault);
        assert_eq!(run(&mut session, LockOp::acquire(LockKey { account, lease }).into()).await, Outcome::Unknown);
        let requests = wire.requests() - for_token;
        assert_eq!((requests, wire.connections()), (2, 1), "{fault:?}: neither driver nor proxy asked twice");
        drop(session);
        if fault == WireFault::Hold {
            assert!(is_free(&mut direct, account).await, "it is still in flight");
            assert_eq!(wire.release().await, Landing::Finished { failed: false });
            assert!(!is_free(&mut direct, account).await, "it has landed");
        } else {
            assert_eq!(is_free(&mut direct, account).await, !is_held, "{fault:?}");
        }
    }
}

/// Whether somebody else gets a lock at once.
async fn is_free(session: &mut Box<dyn Connection>, account: AccountId) -> bool {
    let Outcome::Ok(Response::Etcd(LockResponse::Granted(lease))) = run(session, LockOp::GrantLease.into()).await
    else {
        panic!("no lease")
    };
    let acquire = run(session, LockOp::acquire(LockKey { account, lease }).into());
    let acquired = tokio::time::timeout(A_MOMENT * 3, acquire).await;
    assert_eq!(run(session, LockOp::Revoke(lease).into()).await, LOCK_DONE);
    matches!(acquired, Ok(Outcome::Ok(Response::Etcd(LockResponse::Held(_)))))
}

#[tokio::test]
async fn each_fault_does_on_the_embedded_lock_server_what_its_name_says() {
    let server = EmbeddedLockServer::start(EmbeddedOptions::default()).unwrap();
    check_lock_service(server.endpoint()).await;
}

#[test]
fn each_fault_does_on_etcd_what_its_name_says() {
    on_etcd(|url| check_lock_service(url.into()));
}

#[test]
fn the_wire_and_the_port_show_the_same() {
    on_postgres(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["run", "wire-and-port", "--store", "postgres", "--store-url", &url, "--seed", "1", "--json"];
        let output = oncelab(folder.path(), &[&arguments[..], &["--set", "repeats=1"]].concat());
        let summary: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let cells = summary["cells"].as_array().unwrap();
        let cell = |strategy: &str, faults: &str| {
            cells.iter().find(|cell| cell["strategy"] == strategy && cell["faults"] == faults).unwrap()
        };
        let interval = |cell: &serde_json::Value| {
            wilson_95(cell["violations"]["duplicate"].as_u64().unwrap(), cell["requests"].as_u64().unwrap())
        };
        let strategies: Vec<&str> = cells
            .iter()
            .filter(|cell| cell["faults"] == "port")
            .map(|cell| cell["strategy"].as_str().unwrap())
            .collect();
        assert_eq!(strategies.len(), 13);
        for strategy in strategies {
            let (port, wire) = (cell(strategy, "port"), cell(strategy, "wire"));
            let ((a, b), (c, d)) = (interval(port), interval(wire));
            assert!(a <= d && c <= b, "{strategy}: {port} {wire}");
            for fault in ["request_lost", "reply_lost", "late_landing"] {
                assert!(wire["fired"][fault].as_u64().unwrap() > 0, "{strategy}: {wire}");
            }
        }
    });
}

/// Longer than any of these takes.
const LIMIT: Duration = Duration::from_secs(20);

const INSERT: &str = "INSERT INTO wired VALUES ($1)";

/// The port that a proxy listens at.
fn port(wire: &Wire) -> u16 {
    match wire.address() {
        Address::Port(_, port) => *port,
        socket => panic!("{socket}"),
    }
}

/// A connection as a user of sqlx makes it, who does not know of the proxy: it asks for encryption first.
async fn sqlx_through(url: &str, to: &PgConnectOptions) -> (PgConnection, Wire) {
    let wire = Wire::start(&Address::Port(to.get_host().to_owned(), to.get_port()), Protocol::Postgres).await.unwrap();
    let through = url.parse::<PgConnectOptions>().unwrap().host("127.0.0.1").port(port(&wire));
    (through.connect().await.unwrap(), wire)
}

async fn rows(direct: &mut PgConnection) -> Vec<i32> {
    sqlx::query_scalar("SELECT n FROM wired ORDER BY n").fetch_all(direct).await.unwrap()
}

#[test]
fn sqlx_itself_meets_each_fault_on_the_first_use_of_a_statement() {
    on_postgres(|url| async move {
        let to: PgConnectOptions = url.parse().unwrap();
        let mut direct = to.connect().await.unwrap();
        sqlx::raw_sql("CREATE TABLE wired (n int)").execute(&mut direct).await.unwrap();
        // What is in the table when the driver's error arrives, and what is in it after what is held was released.
        for (n, fault, then, landing, later) in [
            (1, WireFault::LoseRequest, vec![], Landing::NothingHeld, vec![]),
            (2, WireFault::LoseReply, vec![2], Landing::NothingHeld, vec![2]),
            (3, WireFault::Hold, vec![2], Landing::Finished { failed: false }, vec![2, 3]),
        ] {
            let (mut connection, wire) = sqlx_through(&url, &to).await;
            wire.arm(fault);
            let insert = sqlx::query(INSERT).bind(n).execute(&mut connection);
            let ended = tokio::time::timeout(LIMIT, insert).await.expect("the driver notices");
            assert!(ended.is_err(), "{fault:?}: {ended:?}");
            assert_eq!(rows(&mut direct).await, then, "{fault:?}");
            drop(connection);
            tokio::time::sleep(A_MOMENT).await;
            assert_eq!(rows(&mut direct).await, then, "{fault:?}, even later");
            assert_eq!((wire.requests(), wire.connections()), (1, 1), "{fault:?}");
            assert_eq!(wire.release().await, landing);
            assert_eq!(rows(&mut direct).await, later, "{fault:?}, landed");
        }

        let (mut connection, wire) = sqlx_through(&url, &to).await;
        wire.arm(WireFault::Hold);
        assert!(sqlx::query("SELECT 1 / $1::int").bind(0).execute(&mut connection).await.is_err());
        assert_eq!(wire.release().await, Landing::Finished { failed: true }, "the server refused it");
    });
}

#[test]
fn a_commit_that_takes_its_time_is_lost_only_when_it_is_done() {
    on_postgres(|url| async move {
        let to: PgConnectOptions = url.parse().unwrap();
        let mut direct = to.connect().await.unwrap();
        let table = "CREATE TABLE wired (n int);
            CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON wired DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION dawdle()";
        sqlx::raw_sql(table).execute(&mut direct).await.unwrap();
        let (mut connection, wire) = sqlx_through(&url, &to).await;
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query(INSERT).bind(1).execute(&mut *transaction).await.unwrap();
        wire.arm(WireFault::LoseReply);
        // The trigger makes the COMMIT itself last 300 ms: a proxy that cut at once would show an empty table here.
        assert!(transaction.commit().await.is_err());
        assert_eq!(rows(&mut direct).await, [1]);
        assert_eq!(wire.requests(), 3, "BEGIN, INSERT, COMMIT");
    });
}

/// A client as a user of etcd's makes it.
async fn etcd_through(endpoint: &Endpoint) -> (KvClient, Wire) {
    let wire = Wire::start(&endpoint.address().unwrap(), Protocol::Http2).await.unwrap();
    let client = endpoint.through(wire.address()).client(LIMIT).await.unwrap();
    (client.kv_client(), wire)
}

async fn check_puts(endpoint: Endpoint) {
    let for_token = u64::from(endpoint.user().is_some());
    let mut direct = endpoint.client(LIMIT).await.unwrap().kv_client();
    let mut found = async |key: &str| !direct.get(key, None).await.unwrap().kvs().is_empty();
    for (key, fault, is_there) in
        [("one", WireFault::LoseRequest, false), ("two", WireFault::LoseReply, true), ("three", WireFault::Hold, false)]
    {
        let key = format!("oncelab/{key}");
        let key = key.as_str();
        let (mut client, wire) = etcd_through(&endpoint).await;
        client.put("oncelab/warm", "up", None).await.unwrap();
        assert_eq!(wire.requests(), 1 + for_token);
        wire.arm(fault);
        let put = tokio::time::timeout(LIMIT, client.put(key, "value", None)).await.expect("the driver notices");
        assert!(put.is_err(), "{fault:?}");
        assert_eq!(found(key).await, is_there, "{fault:?}");
        assert_eq!((wire.requests() - for_token, wire.connections()), (2, 1), "{fault:?}");
        drop(client);
        let landing = wire.release().await;
        let has_landed = landing == Landing::Finished { failed: false };
        assert_eq!(has_landed, fault == WireFault::Hold, "{fault:?}: {landing:?}");
        assert_eq!(found(key).await, is_there || has_landed, "{fault:?}");
    }

    // More than the window that the client grants for one answer: the server waits in its middle for leave to go on.
    for key in ["oncelab/large/1", "oncelab/large/2", "oncelab/large/3"] {
        direct.put(key, vec![b'x'; 1 << 20], None).await.unwrap();
    }
    let (mut client, wire) = etcd_through(&endpoint).await;
    wire.arm(WireFault::LoseReply);
    let get = client.get("oncelab/large/", Some(GetOptions::new().with_prefix()));
    assert!(tokio::time::timeout(LIMIT, get).await.expect("the answer is read to its end").is_err());
    assert_eq!((wire.requests() - for_token, wire.connections()), (1, 1));
    // A new client: the old one may send its next request into the connection that was cut, before it has noticed.
    let mut client = endpoint.through(wire.address()).client(LIMIT).await.unwrap().kv_client();
    assert_eq!(client.get("oncelab/large/", Some(GetOptions::new().with_prefix())).await.unwrap().kvs().len(), 3);
    assert_eq!((wire.requests() - 2 * for_token, wire.connections()), (2, 2));
}

#[tokio::test]
async fn etcd_client_itself_meets_each_fault_on_the_embedded_lock_server() {
    let server = EmbeddedLockServer::start(EmbeddedOptions::default()).unwrap();
    check_puts(server.endpoint()).await;
}

#[test]
fn etcd_client_itself_meets_each_fault_on_etcd() {
    on_etcd(|url| check_puts(url.into()));
}
