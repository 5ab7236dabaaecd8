//! What the whole lab costs around real servers: `cargo bench --bench servers` runs the same work through the lab (clients,
//! network, handlers, port, recording), through a bare loop of the same driver, and for PostgreSQL through pgbench, in turn
//! and five times over, and prints medians, and the ratios of the lab to the others: the median, and the range over the rounds.
//!
//! Needs PostgreSQL (with pgbench), etcd, Redis and Kafka (`ONCELAB_KAFKA_HOME`) on this machine; what is missing is skipped and said. The machine should have
//! nothing else to do. Compare ratios of one run, never figures of two.

use std::process::Command;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use etcd_client::LockOptions;
use oncelab::experiment::LoadSettings;
use oncelab::fault::Level;
use oncelab::load::{Outside, Setting, run_trial};
use oncelab::service::kafka::KafkaOp;
use oncelab::service::provision::{self, EtcdShape, Provision, Source};
use oncelab::service::redis::RedisOp;
use oncelab::service::{
    AnyOp, Backend, BackendSettings, Backends, Endpoint, EtcdBackend, EtcdOptions, LedgerOf, NullStore, Outcome,
    PostgresStore, ServiceKind, SqliteStore, Store, Wanted, WantedKafka, WantedRedis,
};
use oncelab::stats::median;
use oncelab::strategy::Registry;
use oncelab::terms::{
    AccountId, ByRole, ClientId, Delivery, Effect, Hop, HopSettings, MessageId, Request, Role, StoreKind,
};
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

const ROUNDS: usize = 5;
const CONNECTIONS: [u16; 2] = [8, 32];
/// How many connections there are where one of the ways works in batches: the fewer there are, the more requests wait for each.
const BATCHED: [u16; 3] = [2, 8, 32];
/// How much is done in one measurement: some seconds.
const EFFECTS: u32 = 30_000;
const EFFECTS_IN_BATCHES: u32 = 60_000;
const CYCLES: u32 = 8_000;
const ACCOUNTS: u32 = 10_000;

/// How many clients there are to a handler, and so to a connection. Each request goes to a handler drawn at random; in a
/// closed network of M queues and N jobs a server is busy N / (N + M - 1) of the time, which is 0.97 with 32 to each.
const CLIENTS_EACH: u16 = 32;

/// A way of doing the same work: its name, and how many a second it did in each round.
struct Way {
    name: &'static str,
    per_s: Vec<f64>,
}

impl Way {
    fn named(name: &'static str) -> Self {
        Way { name, per_s: Vec::new() }
    }
}

/// A trial without faults, and what it gets done in a second.
async fn through_the_lab(
    strategy: &str,
    store: Arc<dyn Store>,
    store_kind: StoreKind,
    lock: Option<Arc<dyn Backend>>,
    connections: u16,
    requests: u32,
    hop: Hop,
) -> f64 {
    let mut backends = ByRole::default();
    (backends[Role::STORE], backends[Role::LOCK]) = (Some(Arc::clone(&store) as Arc<dyn Backend>), lock);
    on(strategy, (backends, vec![(Role::STORE, store)]), store_kind, connections, requests, hop).await
}

/// What plays each role, and what keeps effects.
type Players = (ByRole<Option<Arc<dyn Backend>>>, Vec<(Role, Arc<dyn Store>)>);

async fn on(
    strategy: &str,
    (backends, stores): Players,
    store_kind: StoreKind,
    connections: u16,
    requests: u32,
    hop: Hop,
) -> f64 {
    let handlers = connections.try_into().expect("some");
    let setting = Setting {
        strategy: Registry::default().get(strategy).expect("it is one of the lab's"),
        level: Level::none(),
        seed: 1,
        load: LoadSettings {
            requests: requests.try_into().expect("some"),
            warmup: 0,
            clients: (connections * CLIENTS_EACH).try_into().expect("some"),
            handlers,
            accounts: ACCOUNTS.try_into().expect("some"),
            timeout_ms: 60_000.try_into().expect("some"),
            ..LoadSettings::default()
        },
        backend: BackendSettings::default(),
        hop: HopSettings { hop, ..HopSettings::default() },
        store_kind,
        stores,
        backends,
        lease: Duration::from_secs(10),
        servers: Weak::new(),
        outside: Arc::new(Outside::here(handlers)),
    };
    let record = run_trial(&setting).await.expect("the trial ends well");
    let from = record.finished.iter().map(|end| end.started_ns).min().unwrap_or(0);
    let to = record.finished.iter().map(|end| end.ended_ns).max().unwrap_or(0);
    per_second(requests, Duration::from_nanos(to - from))
}

fn per_second(count: u32, taken: Duration) -> f64 {
    f64::from(count) / taken.as_secs_f64()
}

/// The same statement in a loop on each connection, prepared by sqlx on its first use.
async fn bare_sqlx(url: &str, schema: &str, connections: u16, effects: u32) -> f64 {
    let each = effects / u32::from(connections);
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        let path = sqlx::AssertSqlSafe(format!("SET search_path = {schema}"));
        sqlx::raw_sql(path).execute(&mut connection).await.expect("the schema is there");
        open.push(connection);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, mut connection) in (0_i64..).zip(open) {
        tasks.spawn(async move {
            for n in 0..i64::from(each) {
                let message = number * i64::from(each) + n;
                let row = sqlx::query(PostgresStore::claim_and_apply())
                    .bind(1_i32)
                    .bind((message * 7_919) % i64::from(ACCOUNTS))
                    .bind(message)
                    .bind(None::<i64>)
                    .bind(0_i16)
                    .bind(0_i16)
                    .fetch_optional(&mut connection);
                row.await.expect("the statement is sound").expect("every message is new");
            }
        });
    }
    tasks.join_all().await;
    per_second(each * u32::from(connections), began.elapsed())
}

/// The same statement through pgbench, prepared.
fn through_pgbench(pgbench: &std::path::Path, url: &str, schema: &str, connections: u16, effects: u32) -> f64 {
    let mut script = String::from(
        "\\set amount 1\n\\set account random(0, 9999)\n\\set message random(1, 4000000000000000000)\n\\set attempt 0\n\\set copy 0\n",
    );
    let names = [":amount", ":account", ":message", "NULL", ":attempt", ":copy"];
    let statement = (1..).zip(names).fold(PostgresStore::claim_and_apply().to_owned(), |statement, (number, name)| {
        statement.replace(&format!("${number}"), name)
    });
    // pgbench takes a line for a statement unless it ends in a semicolon.
    script.push_str(&format!("{};\n", statement.replace('\n', " ")));
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The list of processes shows arguments to everybody.
    let server = Endpoint::from(url);
    let (user, password) = server.user().cloned().unwrap_or_default();
    let file = folder.path().join("script.sql");
    std::fs::write(&file, script).expect("room for a script");
    let output = Command::new(pgbench)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={connections}"))
        .arg(format!("--transactions={}", effects / u32::from(connections)))
        .arg(format!("--file={}", file.display()))
        .arg(server.url())
        .envs([("PGUSER", user), ("PGPASSWORD", password)])
        .env("PGOPTIONS", format!("-c search_path={schema}"))
        .output()
        .expect("pgbench starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Grant, acquire, release and revoke in a loop on each connection, each with locks of its own.
async fn bare_etcd(endpoint: &Endpoint, connections: u16, cycles: u32) -> f64 {
    let each = cycles / u32::from(connections);
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = endpoint.client(Duration::from_secs(2)).await.expect("a connection");
        client.status().await.expect("it answers");
        clients.push(client);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, mut client) in (0_u32..).zip(clients) {
        tasks.spawn(async move {
            for n in 0..each {
                let name = format!("oncelab/bare/{}", (number * each + n) * 7_919 % ACCOUNTS);
                let lease = client.lease_grant(10, None).await.expect("a lease").id();
                let options = LockOptions::new().with_lease(lease);
                let held = client.lock(name, Some(options)).await.expect("a lock");
                client.unlock(held.key()).await.expect("an unlock");
                client.lease_revoke(lease).await.expect("a revocation");
            }
        });
    }
    tasks.join_all().await;
    per_second(each * u32::from(connections), began.elapsed())
}

fn print(what: &str, connections: u16, ways: &[Way]) {
    println!("{what}, {connections} connections:");
    // The first is what the others are compared with.
    let lab = &ways[0];
    for way in ways {
        let ratios: Vec<f64> = lab.per_s.iter().zip(&way.per_s).map(|(lab, other)| lab / other).collect();
        let (least, greatest) = ratios
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(least, greatest), ratio| (least.min(*ratio), greatest.max(*ratio)));
        let (median_per_s, ratio) = (median(way.per_s.iter().copied()), median(ratios.iter().copied()));
        let rounds = format!("({least:.2} to {greatest:.2})");
        println!("  {:<21} {median_per_s:>9.0} /s   {} / it {ratio:.2} {rounds}", way.name, lab.name);
    }
}

async fn postgres(source: &Source) {
    let started = match provision::postgres(source).await {
        Ok(started) => started,
        Err(error) => return println!("SKIPPED: {error}"),
    };
    let url = started.urls().remove(0);
    let store = Arc::new(PostgresStore::connect(&url).await.expect("it answers"));
    let pgbench = provision::binary("pgbench");
    for connections in CONNECTIONS {
        let mut ways = ["lab", "bare sqlx loop", "pgbench"].map(Way::named);
        for round in 0..ROUNDS {
            for turn in 0..ways.len() {
                // Each round begins with another, so that none always follows the same.
                let way = &mut ways[(round + turn) % 3];
                store.reset(ACCOUNTS).await.expect("it can be emptied");
                let per_s = match way.name {
                    "lab" => {
                        let store: Arc<dyn Store> = store.clone();
                        let kind = StoreKind::Postgres;
                        through_the_lab("dedup-table-statement", store, kind, None, connections, EFFECTS, Hop::Inside)
                            .await
                    }
                    "pgbench" => match &pgbench {
                        Some(pgbench) => through_pgbench(pgbench, &url, store.schema(), connections, EFFECTS),
                        None => f64::NAN,
                    },
                    _ => bare_sqlx(&url, store.schema(), connections, EFFECTS).await,
                };
                way.per_s.push(per_s);
            }
        }
        print("dedup-table-statement on PostgreSQL", connections, &ways);
    }
    if pgbench.is_none() {
        println!("SKIPPED: pgbench is not installed (Debian: postgresql-contrib or postgresql)");
    }
}

/// One delivery in a statement and a commit, and many: the same clients, requests in flight, connections and durability.
async fn batches(source: &Source) {
    let started = match provision::postgres(source).await {
        Ok(started) => started,
        Err(error) => return println!("SKIPPED: {error}"),
    };
    let url = started.urls().remove(0);
    let store = Arc::new(PostgresStore::connect(&url).await.expect("it answers"));
    let commits = durability(&url).await;
    for connections in BATCHED {
        let mut ways = ["dedup-table-batched", "dedup-table-statement"].map(Way::named);
        for round in 0..ROUNDS {
            for turn in 0..ways.len() {
                let way = &mut ways[(round + turn) % 2];
                store.reset(ACCOUNTS).await.expect("it can be emptied");
                let store: Arc<dyn Store> = store.clone();
                way.per_s.push(
                    through_the_lab(
                        way.name,
                        store,
                        StoreKind::Postgres,
                        None,
                        connections,
                        EFFECTS_IN_BATCHES,
                        Hop::Inside,
                    )
                    .await,
                );
            }
        }
        let clients = connections * CLIENTS_EACH;
        print(
            &format!("batches on PostgreSQL ({commits}), {clients} clients with a request in flight each"),
            connections,
            &ways,
        );
    }
}

/// What PostgreSQL does before it says that a commit is done.
async fn durability(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let query = "SELECT 'fsync ' || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit')";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.expect("it knows its settings")
}

async fn etcd(source: &Source) {
    let started = match provision::etcd(source, &EtcdShape::default()).await {
        Ok(started) => started,
        Err(error) => return println!("SKIPPED: {error}"),
    };
    let endpoint = Endpoint::from(started.urls().remove(0));
    let connections = CONNECTIONS[0];
    let mut ways = ["lab", "bare etcd-client"].map(Way::named);
    for round in 0..ROUNDS {
        for turn in 0..ways.len() {
            let way = &mut ways[(round + turn) % 2];
            let per_s = if way.name == "lab" {
                let prefix = format!("oncelab/{round}");
                let options = EtcdOptions {
                    endpoints: vec![endpoint.clone()],
                    lease_ttl_s: 10,
                    prefix,
                    ..EtcdOptions::default()
                };
                let lock: Arc<dyn Backend> = Arc::new(EtcdBackend::new(options).expect("there is an endpoint"));
                let store: Arc<dyn Store> = Arc::new(NullStore::default());
                through_the_lab("etcd-lock", store, StoreKind::Null, Some(lock), connections, CYCLES, Hop::Inside).await
            } else {
                bare_etcd(&endpoint, connections, CYCLES).await
            };
            way.per_s.push(per_s);
        }
    }
    print("lock cycles of etcd (etcd-lock around a store that does nothing)", connections, &ways);
}

/// One operation of a service's driver in a loop on each connection.
async fn bare_driver(backend: &dyn Backend, connections: u16, effects: u32, op: fn(&Request) -> AnyOp) -> f64 {
    let each = effects / u32::from(connections);
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(backend.connect().await.expect("a connection"));
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, mut connection) in (0_u32..).zip(open) {
        tasks.spawn(async move {
            for n in 0..each {
                let id = number * each + n;
                let effect = Effect { account: AccountId(id.wrapping_mul(7_919) % ACCOUNTS), amount: 1 };
                let request = Request { id: MessageId(id), client: ClientId(number), sequence: n, effect };
                let outcome = connection.execute(op(&request), Delivery::FIRST).await.expect("it can be used");
                assert!(matches!(outcome, Outcome::Ok(_)), "{outcome:?}");
            }
        });
    }
    tasks.join_all().await;
    per_second(each * u32::from(connections), began.elapsed())
}

/// Strategies of one operation on a Redis or a Kafka, beside a loop over the driver that they use.
async fn one_operation(
    (kind, role, strategy): (ServiceKind, Role, &'static str),
    wanted: Wanted,
    op: fn(&Request) -> AnyOp,
    effects: u32,
) {
    let backends = match Backends::start(&wanted, &BackendSettings::default()).await {
        Ok(backends) => backends,
        Err(error) => return println!("SKIPPED: {error}"),
    };
    let connections = CONNECTIONS[0];
    let mut ways = ["lab", "bare loop"].map(Way::named);
    for round in 0..ROUNDS {
        for turn in 0..ways.len() {
            let way = &mut ways[(round + turn) % 2];
            let prefix = format!("oncelab-{round}-{turn}-");
            let store = kind
                .store_in(&backends, role, LedgerOf { has_effects: true, prefix: &prefix })
                .expect("it is there")
                .expect("it keeps effects");
            store.reset(ACCOUNTS).await.expect("it can be emptied");
            let per_s = if way.name == "lab" {
                let mut players = ByRole::default();
                players[role] = Some(Arc::clone(&store) as Arc<dyn Backend>);
                let players = (players, vec![(role, store)]);
                on(strategy, players, StoreKind::Null, connections, effects, Hop::Inside).await
            } else {
                bare_driver(store.as_ref(), connections, effects, op).await
            };
            way.per_s.push(per_s);
        }
    }
    print(&format!("{strategy}, one operation"), connections, &ways);
}

async fn kafka(source: &Source) {
    let wanted = Wanted { kafka: WantedKafka::Started, source: source.clone(), ..Wanted::default() };
    let produce = |request: &Request| AnyOp::Kafka(KafkaOp::produce(request));
    one_operation((ServiceKind::Kafka, Role::BROKER, "kafka-at-least-once"), wanted, produce, EFFECTS).await;
}

async fn redis(source: &Source) {
    let wanted = Wanted { redis: WantedRedis::Started { servers: 1 }, source: source.clone(), ..Wanted::default() };
    let apply = |request: &Request| AnyOp::Redis(RedisOp::apply_once(request));
    one_operation((ServiceKind::Redis, Role::CACHE, "redis-script"), wanted, apply, EFFECTS_IN_BATCHES).await;
}

/// What HTTP between clients and handlers costs: without a store, and on SQLite.
async fn hop() {
    const CONNECTIONS: u16 = 8;
    for (what, kind) in [("no store", StoreKind::Null), ("SQLite", StoreKind::Sqlite)] {
        let hops = Hop::NAMES.map(|(hop, _)| hop);
        let mut ways = Hop::NAMES.map(|(_, name)| Way::named(name));
        for round in 0..ROUNDS {
            for n in 0..ways.len() {
                let n = (n + round) % ways.len();
                let store: Arc<dyn Store> = match kind {
                    StoreKind::Sqlite => Arc::new(SqliteStore::new().expect("a temporary folder")),
                    StoreKind::Null | StoreKind::Postgres | StoreKind::Mariadb => Arc::new(NullStore::default()),
                };
                let per_s = through_the_lab("at-least-once", store, kind, None, CONNECTIONS, EFFECTS, hops[n]).await;
                ways[n].per_s.push(per_s);
            }
        }
        print(&format!("requests from clients to handlers, {what}"), CONNECTIONS, &ways);
    }
}

fn main() {
    // Cargo passes `--bench`; `-- postgres`, `-- batches`, `-- etcd`, `-- redis`, `-- kafka` or `-- hop` leaves the others out.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wants = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let source = Source { provision: Provision::Process, ..Source::default() };
        if wants("postgres") {
            postgres(&source).await;
        }
        if wants("batches") {
            batches(&source).await;
        }
        if wants("etcd") {
            etcd(&source).await;
        }
        if wants("redis") {
            redis(&source).await;
        }
        if wants("kafka") {
            kafka(&source).await;
        }
        if wants("hop") {
            hop().await;
        }
    });
}
