//! MariaDB: operation by operation, what its errors come to, and through the command line.

use std::process::Stdio;
use std::time::{Duration, Instant};

use oncelab::service::store::{StoreOp, StoreResponse};
use oncelab::service::{Backend, BackendError, Connection, MariadbStore, Servers, Sql, Store, provision};
use oncelab::terms::{AccountId, Answer, Effect, Failure, Isolation, LeaseId, MessageId, Request, Target, Token};
use oncelab::world::{Outcome, Response};
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use crate::backends::{DONE, block_on, on_mariadb, or_skip, processes, request, run};
use crate::common::{command, oncelab, text};

type Session = Box<dyn Connection>;

fn token(value: i64) -> Token {
    Token(value.try_into().unwrap())
}

fn applied(balance: i64) -> Outcome {
    Outcome::Ok(Response::Store(StoreResponse::Applied(Some(Answer(balance)))))
}

fn found(value: Option<i64>) -> Outcome {
    Outcome::Ok(Response::Store(StoreResponse::Found(value.map(Answer))))
}

fn claimed(fresh: bool) -> Outcome {
    Outcome::Ok(Response::Store(StoreResponse::Claimed(fresh)))
}

async fn store(url: &str, accounts: u32) -> MariadbStore {
    let store = MariadbStore::connect(url).await.unwrap();
    store.reset(accounts).await.unwrap();
    store
}

async fn two(store: &MariadbStore) -> (Session, Session) {
    (store.connect().await.unwrap(), store.connect().await.unwrap())
}

/// A statement of the test's own on a session.
async fn own(session: &mut Session, sql: &'static str) -> Outcome {
    run(session, StoreOp::sql(Sql::new(sql, &request(0), 7)).into()).await
}

/// An effect on this account.
fn on(account: u32, message: u32) -> Request {
    Request { effect: Effect { account: AccountId(account), amount: 10 }, ..request(message) }
}

#[test]
fn mariadb_carries_out_every_operation() {
    on_mariadb(|url| async move {
        let store = store(&url, 2).await;
        let mut session = store.connect().await.unwrap();
        let id = MessageId(0);
        for (op, expected) in [
            (StoreOp::read_mark(id).into(), found(None)),
            (StoreOp::apply(&request(0)).into(), applied(10)),
            (StoreOp::write_mark(id, Answer(10)).into(), DONE),
            (StoreOp::read_mark(id).into(), found(Some(10))),
            (StoreOp::begin(Isolation::ReadCommitted).into(), DONE),
            (StoreOp::claim(id).into(), claimed(true)),
            (StoreOp::apply(&request(0)).into(), applied(20)),
            (StoreOp::rollback().into(), DONE),
            (StoreOp::rollback().into(), Outcome::Failed(Failure::NoTransaction)),
            (StoreOp::claim_and_apply(&request(1)).into(), applied(20)),
            (StoreOp::claim_and_apply(&request(1)).into(), Outcome::Ok(Response::Store(StoreResponse::Applied(None)))),
            (StoreOp::read_answer(MessageId(1)).into(), found(Some(20))),
            (StoreOp::claim(MessageId(1)).into(), claimed(false)),
            (StoreOp::store_answer(id, Answer(7)).into(), DONE),
            (StoreOp::check_token(AccountId(0), token(5)).into(), DONE),
            (StoreOp::check_token(AccountId(0), token(5)).into(), DONE),
            (StoreOp::check_token(AccountId(0), token(4)).into(), Outcome::Failed(Failure::StaleToken)),
            (StoreOp::apply_fenced(&request(2), token(4)).into(), Outcome::Failed(Failure::StaleToken)),
            (StoreOp::apply_fenced(&request(2), token(6)).into(), applied(30)),
            (StoreOp::apply_fenced(&request(3), token(5)).into(), Outcome::Failed(Failure::StaleToken)),
            (StoreOp::apply_under_lease(&request(4), LeaseId(5)).into(), applied(40)),
            (StoreOp::apply_under_lease(&request(4), LeaseId(5)).into(), applied(50)),
            (StoreOp::apply_under_lease(&request(5), LeaseId(6)).into(), Outcome::Failed(Failure::OtherLease)),
            (StoreOp::read_balance(AccountId(0)).into(), found(Some(50))),
            (StoreOp::overwrite(&request(6), Answer(20)).into(), applied(30)),
            // Of an account that is not there nothing is changed, and nothing is left of what came before.
            (StoreOp::claim_and_apply(&on(9, 7)).into(), Outcome::Ok(Response::Store(StoreResponse::Applied(None)))),
        ] {
            assert_eq!(run(&mut session, op).await, expected, "{op}");
        }
        // Four effects were applied outside of the transaction that was rolled back, two under a lease or over a balance.
        let balances: Vec<i64> = store.ledger().await.unwrap().iter().map(|entry| entry.balance).collect();
        assert_eq!(balances, [10, 20, 30, 40, 50, 30]);
        assert_eq!(store.balances().await.unwrap(), [(AccountId(0), 30), (AccountId(1), 0)]);
        let usage = store.usage().await.unwrap();
        assert!(usage.kept_bytes > Some(0) && usage.logged_bytes > Some(0), "{usage:?}");
        assert_eq!(own(&mut session, "SELECT $4 + $1 + (-$3) -- $1 stays").await, found(Some(-3)));
        store.remove().await.unwrap();
    });
}

/// The loser's transaction is gone, and nothing of it is there: whoever goes on all the same writes outside of any.
#[test]
fn a_deadlock_is_an_outcome_and_ends_the_transaction() {
    on_mariadb(|url| async move {
        let store = store(&url, 2).await;
        let (mut one, mut other) = two(&store).await;
        for (session, account) in [(&mut one, 0), (&mut other, 1)] {
            assert_eq!(run(session, StoreOp::begin(Isolation::ReadCommitted).into()).await, DONE);
            assert_eq!(run(session, StoreOp::apply(&on(account, account)).into()).await, applied(10));
        }
        // Each asks for the row that the other has.
        let (first, second) = tokio::join!(
            run(&mut one, StoreOp::apply(&on(1, 2)).into()),
            run(&mut other, StoreOp::apply(&on(0, 3)).into())
        );
        let deadlock = Outcome::Failed(Failure::Deadlock);
        let ((winner, lost), loser) =
            if first == deadlock { ((&mut other, second), &mut one) } else { ((&mut one, first), &mut other) };
        assert_eq!(lost, applied(10), "the victim's effect is undone: {first:?} {second:?}");
        assert!([first, second].contains(&deadlock));
        assert_eq!(run(loser, StoreOp::commit().into()).await, Outcome::Failed(Failure::NoTransaction));
        assert_eq!(run(winner, StoreOp::commit().into()).await, DONE);
        assert_eq!(store.ledger().await.unwrap().len(), 2);
        store.remove().await.unwrap();
    });
}

/// INSERT IGNORE of a row that another transaction has inserted waits; if that is undone, two that waited are in each other's way.
#[test]
fn two_that_waited_for_an_insertion_that_was_undone_are_a_deadlock_or_one_after_the_other() {
    on_mariadb(|url| async move {
        let store = store(&url, 1).await;
        let (mut one, mut other) = two(&store).await;
        let mut third = store.connect().await.unwrap();
        for session in [&mut one, &mut other, &mut third] {
            run(session, StoreOp::begin(Isolation::RepeatableRead).into()).await;
        }
        assert_eq!(run(&mut third, StoreOp::claim(MessageId(5)).into()).await, claimed(true));
        let undo = async {
            waits_for(&url, 2).await;
            run(&mut third, StoreOp::rollback().into()).await
        };
        let claim = async |session: &mut Session| {
            let outcome = run(session, StoreOp::claim(MessageId(5)).into()).await;
            let ended = run(session, StoreOp::commit().into()).await;
            (outcome, ended)
        };
        let (one, other, _) = tokio::join!(claim(&mut one), claim(&mut other), undo);
        let deadlock = (Outcome::Failed(Failure::Deadlock), Outcome::Failed(Failure::NoTransaction));
        let won = (claimed(true), DONE);
        assert!([one, other].contains(&won), "{one:?} {other:?}");
        assert!(
            [one, other].iter().all(|its| [won, deadlock, (claimed(false), DONE)].contains(its)),
            "{one:?} {other:?}"
        );
        assert_ne!(one.0, other.0, "the claim is fresh to one of them alone");
        store.remove().await.unwrap();
    });
}

/// Two may lock the gap where a row is missing, and then neither may fill it: at MariaDB's own level, but not at READ COMMITTED.
#[test]
fn two_that_look_with_for_update_where_nothing_is_are_a_deadlock_at_repeatable_read() {
    on_mariadb(|url| async move {
        for isolation in [Isolation::RepeatableRead, Isolation::ReadCommitted] {
            let store = store(&url, 1).await;
            let (mut one, mut other) = two(&store).await;
            for session in [&mut one, &mut other] {
                run(session, StoreOp::begin(isolation).into()).await;
                let look = own(session, "SELECT answer FROM mark WHERE message = $1 FOR UPDATE").await;
                assert_eq!(look, found(None), "neither waits for the other");
            }
            let mark = StoreOp::write_mark(MessageId(0), Answer(1));
            let (first, second) = tokio::join!(run(&mut one, mark.into()), run(&mut other, mark.into()));
            if isolation == Isolation::ReadCommitted {
                assert_eq!((first, second), (DONE, DONE));
            } else {
                let deadlock = Outcome::Failed(Failure::Deadlock);
                assert!([(DONE, deadlock), (deadlock, DONE)].contains(&(first, second)), "{first:?} {second:?}");
            }
            drop((one, other));
            store.quiesce().await.unwrap();
            store.remove().await.unwrap();
        }
    });
}

/// Waits until so many transactions wait for locks, says the server.
async fn waits_for(url: &str, number: usize) {
    let store = MariadbStore::connect(url).await.unwrap();
    let mut watcher = MySqlConnection::connect(url).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let query = sqlx::raw_sql("SHOW ENGINE INNODB STATUS").fetch_one(&mut watcher).await.unwrap();
        let status: String = sqlx::Row::get(&query, "Status");
        let (_, transactions) = status.split_once("LIST OF TRANSACTIONS").unwrap();
        if transactions.matches("\nLOCK WAIT ").count() == number {
            break;
        }
        assert!(Instant::now() < deadline, "{status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.remove().await.unwrap();
}

/// One statement is undone and the transaction is not, as MariaDB has it: but of an operation of several acts nothing is left.
#[test]
fn a_wait_that_takes_too_long_is_an_outcome_and_leaves_nothing_of_its_operation() {
    on_mariadb(|url| async move {
        let store = store(&url, 2).await;
        let (mut one, mut other) = two(&store).await;
        run(&mut one, StoreOp::begin(Isolation::ReadCommitted).into()).await;
        assert_eq!(run(&mut one, StoreOp::apply(&on(0, 0)).into()).await, applied(10));

        own(&mut other, "SET SESSION innodb_lock_wait_timeout = 1").await;
        let busy = Outcome::Failed(Failure::Busy);
        // As a transaction of its own, and inside of one: the claim comes before the wait.
        assert_eq!(run(&mut other, StoreOp::claim_and_apply(&on(0, 1)).into()).await, busy);
        run(&mut other, StoreOp::begin(Isolation::ReadCommitted).into()).await;
        assert_eq!(run(&mut other, StoreOp::apply(&on(1, 2)).into()).await, applied(10));
        assert_eq!(run(&mut other, StoreOp::claim_and_apply(&on(0, 3)).into()).await, busy);
        assert_eq!(run(&mut other, StoreOp::commit().into()).await, DONE);
        assert_eq!(run(&mut one, StoreOp::commit().into()).await, DONE);
        for message in [1, 3] {
            assert_eq!(run(&mut other, StoreOp::claim(MessageId(message)).into()).await, claimed(true), "{message}");
        }
        let mut messages: Vec<u32> = store.ledger().await.unwrap().iter().map(|entry| entry.message.0).collect();
        messages.sort_unstable();
        assert_eq!(messages, [0, 2]);
        store.remove().await.unwrap();
    });
}

/// At MariaDB's own level what a transaction writes may rest on a balance that is none any more; PostgreSQL refuses that there. With
/// `innodb_snapshot_isolation`, MariaDB does too.
#[test]
fn repeatable_read_permits_a_lost_update_unless_snapshots_are_isolated() {
    on_mariadb(|url| async move {
        for isolated in [false, true] {
            let store = store(&url, 1).await;
            let (mut one, mut other) = two(&store).await;
            let set = if isolated {
                "SET SESSION innodb_snapshot_isolation = ON"
            } else {
                "SET SESSION innodb_snapshot_isolation = OFF"
            };
            own(&mut one, set).await;
            run(&mut one, StoreOp::begin(Isolation::RepeatableRead).into()).await;
            assert_eq!(run(&mut one, StoreOp::read_balance(AccountId(0)).into()).await, found(Some(0)));
            assert_eq!(run(&mut other, StoreOp::apply(&request(1)).into()).await, applied(10));
            assert_eq!(run(&mut one, StoreOp::read_balance(AccountId(0)).into()).await, found(Some(0)));
            let overwritten = run(&mut one, StoreOp::overwrite(&request(2), Answer(0)).into()).await;
            let committed = run(&mut one, StoreOp::commit().into()).await;
            if isolated {
                assert_eq!(overwritten, Outcome::Failed(Failure::SerializationFailure));
                assert_eq!(committed, Outcome::Failed(Failure::NoTransaction));
            } else {
                assert_eq!((overwritten, committed), (applied(10), DONE));
            }
            // Two effects of 10, and a balance of 10: that of the other is lost.
            let effects = if isolated { 1 } else { 2 };
            assert_eq!(store.ledger().await.unwrap().len(), effects);
            assert_eq!(store.balances().await.unwrap(), [(AccountId(0), 10)]);
            store.remove().await.unwrap();
        }
    });
}

/// What is done on a connection that the server ends may have been done.
#[test]
fn an_operation_whose_connection_is_ended_has_an_unknown_outcome() {
    on_mariadb(|url| async move {
        let store = store(&url, 1).await;
        let (mut one, other) = two(&store).await;
        let (mut pinned, id) = store.connect_pinned().await.unwrap();
        run(&mut one, StoreOp::begin(Isolation::ReadCommitted).into()).await;
        run(&mut one, StoreOp::apply(&request(0)).into()).await;
        let mut overseer = store.overseer().await.unwrap();
        let end = async {
            while !overseer.waits(id).await.unwrap() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            overseer.terminate(id).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(run(&mut pinned, StoreOp::apply(&request(1)).into()), end);
        assert_eq!(outcome, Outcome::Unknown);
        drop((one, other, pinned));
        store.quiesce().await.unwrap();
        assert_eq!(store.ledger().await.unwrap(), [], "what was open is rolled back with its connection");
        store.remove().await.unwrap();
    });
}

/// Whether any file below a folder holds this text.
fn holds(folder: &std::path::Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => holds(&path, needle),
        false => text(&std::fs::read(&path).unwrap()).contains(needle),
    })
}

fn password_of(url: &str) -> &str {
    let (_, rest) = url.split_once("oncelab:").unwrap();
    rest.split_once('@').unwrap().0
}

async fn schemas(url: &str) -> i64 {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let query = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'oncelab%'";
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

#[test]
fn quick_on_mariadb_meets_every_claim_and_leaves_nothing_behind() {
    on_mariadb(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let strategies = "check-then-act,check-then-act-transaction,dedup-table,dedup-table-statement";
        let arguments = ["run", "quick", "--strategies", strategies, "--seed", "5", "--json"];
        // The URL names the store.
        let output = command(folder.path()).args(arguments).env("ONCELAB_STORE_URL", &url).output().unwrap();
        let summary: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        let cell =
            |name: &str| summary["cells"].as_array().unwrap().iter().find(|cell| cell["strategy"] == name).unwrap();
        for (name, verdict) in [
            ("check-then-act", "invalid"),
            ("check-then-act-transaction", "invalid"),
            ("dedup-table", "valid"),
            ("dedup-table-statement", "valid"),
        ] {
            assert_eq!((&cell(name)["verdict"], &cell(name)["store"]), (&verdict.into(), &"mariadb".into()), "{name}");
        }
        assert_eq!(output.status.code(), Some(0), "every expectation is met");
        let password = password_of(&url);
        assert!(!holds(folder.path(), password) && !text(&output.stderr).contains(password), "no password in a file");
        let meta = std::fs::read_to_string(folder.path().join(summary["dir"].as_str().unwrap()).join("meta.json"));
        let meta: serde_json::Value = serde_json::from_str(&meta.unwrap()).unwrap();
        assert!(meta["backends"]["store_version"].as_str().unwrap().contains("MariaDB"), "{meta}");
        assert!(meta["backends"]["store_tx_isolation"].is_string(), "{meta}");
        assert_eq!(schemas(&url).await, 0, "the schema is dropped");
    });
}

#[test]
fn the_race_replays_a_hundred_times_of_a_hundred() {
    on_mariadb(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        for (strategy, schedule) in [
            ("check-then-act", "a b b a"),
            ("check-then-act-transaction", "a a b b a a a b b b"),
            // The request is not sent, the reply is not read, and what was held goes on its connection later.
            ("at-least-once", "a? a"),
            ("check-then-act", "a a~ b b a+"),
        ] {
            let mut replay = command(folder.path());
            replay.args(["replay", strategy, schedule, "--store", "mariadb", "--times", "100", "--json"]);
            let output = replay.env("ONCELAB_STORE_URL", &url).output().unwrap();
            let document: serde_json::Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
            assert_eq!(document["violations"]["duplicate"], 100, "{strategy} {schedule}: {document:#}");
            assert_eq!((&document["reproduced"], &document["divergences"]), (&100.into(), &0.into()));
            assert_eq!(output.status.code(), Some(0));
        }
        assert_eq!(schemas(&url).await, 0, "the schemas are dropped");
    });
}

/// `b`'s claim waits for the transaction of `a`, says the server: no step can be made there.
#[test]
fn what_waits_on_mariadb_is_said_by_mariadb() {
    on_mariadb(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let mut replay = command(folder.path());
        replay.args(["replay", "dedup-table", "a a b b a a", "--store", "mariadb"]).env("ONCELAB_STORE_URL", &url);
        let output = replay.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("step 4") && said.contains("wait"), "{said}");
        let mut search = command(folder.path());
        search.args(["explore", "dedup-table", "--on-real", "--store", "mariadb", "--json"]);
        let output = search.env("ONCELAB_STORE_URL", &url).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&document["complete"], output.status.code()), (&true.into(), Some(0)), "{document:#}");
        assert_eq!(document["violations"].as_array().unwrap().len(), 0, "{document:#}");
        assert!(document["schedules"].as_u64().unwrap() > 100, "{document:#}");
    });
}

#[test]
fn an_exploration_says_whose_model_it_goes_through() {
    let folder = tempfile::tempdir().unwrap();
    let explored = oncelab(folder.path(), &["explore", "check-then-act", "--store", "mariadb"]);
    let said = text(&explored.stdout);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("model PostgreSQL's") && flat.contains("there is none of MariaDB"), "{said}");
    assert!(flat.contains("the store is mariadb") && flat.contains("--store-model mariadb"), "{said}");
    let explored = oncelab(folder.path(), &["explore", "check-then-act", "--store-model", "mariadb", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&explored.stdout).unwrap();
    let bound = &document["bound"];
    assert_eq!((&bound["store"], &bound["model"]), (&"mariadb".into(), &"postgres".into()), "{document:#}");
    // Nothing is held against the model of another store.
    let refused = oncelab(folder.path(), &["conform", "check-then-act", "--store", "mariadb"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("there is none of mariadb") && said.contains("--on-real --store mariadb"), "{said}");
}

#[test]
fn the_next_run_removes_what_a_run_has_left_and_nothing_of_one_that_lives() {
    on_mariadb(|url| async move {
        let living = MariadbStore::connect(&url).await.unwrap();
        let mut connection = MySqlConnection::connect(&url).await.unwrap();
        for orphan in ["CREATE DATABASE oncelab_1_00000000", "CREATE DATABASE oncelab_kept_1_00000001"] {
            sqlx::query(orphan).execute(&mut connection).await.unwrap();
        }
        let other = MariadbStore::connect(&url).await.unwrap();
        // The living one's, its own, and that which was to be kept.
        assert_eq!(schemas(&url).await, 3);
        other.remove().await.unwrap();
        living.reset(1).await.unwrap();
        let kept = living.keep().await.unwrap();
        assert!(kept.starts_with("oncelab_kept_"));
        assert_eq!(schemas(&url).await, 2, "it has another name");
        living.remove().await.unwrap();
        assert_eq!(schemas(&url).await, 2, "and has nothing to be removed any more");
    });
}

#[test]
fn a_wrong_url_is_an_error_with_a_remedy_and_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |url: &str, code: i32, remedy: &str| {
        let output = oncelab(folder.path(), &["run", "quick", "--store", "mariadb", "--store-url", url]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(
            said.contains(remedy)
                && !said.contains("error: ") | !said.split("error: ").last().unwrap().contains("hunter2"),
            "{said}"
        );
    };
    // Nobody listens on port 1.
    refused("mysql://me:hunter2@127.0.0.1:1", 4, "check that the server runs there");
    refused("mysql://me:hunter2@:x", 4, "write it as mysql://user:password@host:3306");
    refused("postgres://me:hunter2@127.0.0.1:1/db", 2, "--store-url names PostgreSQL, and --store asks for mariadb");
    let wire = ["run", "wire-and-port", "--store", "mariadb"];
    let output = oncelab(folder.path(), &wire);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no proxy that knows the protocol of mariadb"), "{said}");
    on_mariadb(|url| async move {
        let folder = tempfile::tempdir().unwrap();
        let wrong = url.replace(password_of(&url), "hunter2");
        let output = oncelab(folder.path(), &["run", "quick", "--store-url", &wrong]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("check the user and the password") && !said.contains("hunter2"), "{said}");
        assert!(!holds(folder.path(), "hunter2"));
        // A schema that is not there, and one that the user may not see.
        for (schema, remedy) in [("oncelab_nowhere", "leave the schema out"), ("mysql", "GRANT ALL ON")] {
            let named = url.replace("localhost/", &format!("localhost/{schema}"));
            let refused: Result<_, BackendError> = MariadbStore::connect(&named).await.map(drop);
            assert!(refused.unwrap_err().remedy.unwrap().contains(remedy), "{schema}");
        }
    });
}

#[test]
fn a_mariadb_that_dies_in_the_middle_is_exit_4_and_finished_trials_stay() {
    block_on(async {
        let Some(started) = or_skip(provision::mariadb(&processes()).await) else { return };
        let url = started.urls().remove(0);
        let servers = Servers::new(Some(started), None);
        let folder = tempfile::tempdir().unwrap();
        let mut run = command(folder.path());
        run.args(["run", "quick", "--strategies", "dedup-table"]).env("ONCELAB_STORE_URL", &url);
        run.args(["--set", "load.requests=200", "--set", "repeats=30"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let run = run.spawn().unwrap();
        let finished = || {
            let runs = std::fs::read_dir(folder.path().join("results/quick")).into_iter().flatten().flatten();
            runs.map(|run| std::fs::read_to_string(run.path().join("trials.csv")).unwrap_or_default().lines().count())
                .max()
                .unwrap_or(0)
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while finished() < 3 {
            assert!(Instant::now() < deadline, "no trial was finished in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        servers.at(Target::Store).await[0].kill().await.unwrap();
        let output = tokio::task::block_in_place(|| run.wait_with_output()).unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
        assert!(finished() >= 3, "what was finished stays");
    });
}
