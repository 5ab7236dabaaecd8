//! The SQL of each operation, and its parameters. Every one of them is a single statement: one round trip.

use std::sync::LazyLock;

use super::print::{PrintedStatement, printed};
use crate::service::store::program::{Parameter, StoreTable};
use crate::service::store::{Does, StoreOp};
use crate::terms::{Delivery, Isolation};

/// What makes the tables, in the schema of the run.
pub(super) fn tables() -> Vec<String> {
    let ledger = "CREATE TABLE ledger (number BIGSERIAL PRIMARY KEY, message BIGINT NOT NULL, account BIGINT NOT NULL, amount INT NOT NULL, \
         balance BIGINT NOT NULL, token BIGINT, attempt SMALLINT NOT NULL, copy SMALLINT NOT NULL)";
    let tables = StoreTable::ALL.into_iter().flat_map(|table| table.definition("BIGINT", false));
    tables.chain([ledger.to_owned()]).collect()
}

/// What is kept besides accounts and ledger, and how far the log reaches, in bytes.
pub(super) fn usage() -> String {
    let sizes: Vec<String> = StoreTable::kept().map(|table| format!("pg_total_relation_size('{table}')")).collect();
    format!("SELECT ({})::bigint, (pg_current_wal_insert_lsn() - '0/0')::bigint", sizes.join(" + "))
}

/// Each limit of connections that binds this user: what it is a limit of, of which one, its value, and how many more it leaves. No
/// limit of a role or a database binds a superuser, nor does what is reserved for one. Of a stranger's connection no more can be seen
/// than that somebody has it, which workers of the server's own do not.
pub(super) const CONNECTIONS: &str = "WITH own AS (
        SELECT rolname, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = session_user)
     SELECT 'max_connections', '', most, most - (SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL)
        - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int8
            + coalesce(current_setting('reserved_connections', true), '0')::int8 END
     FROM own, (SELECT current_setting('max_connections')::int8 AS most) AS server
     UNION ALL SELECT 'ROLE', rolname::text, rolconnlimit::int8,
        rolconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE usename = rolname)
     FROM own WHERE rolconnlimit >= 0 AND NOT rolsuper
     UNION ALL SELECT 'DATABASE', datname::text, datconnlimit::int8,
        datconnlimit - (SELECT count(*) FROM pg_stat_activity AS used WHERE used.datname = db.datname AND usesysid IS NOT NULL)
     FROM own, pg_database AS db WHERE datname = current_database() AND datconnlimit >= 0 AND NOT rolsuper";

pub(super) const END_OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";

pub(super) const COUNT_OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";

/// Schemas of runs that nobody keeps any more.
pub(super) const ORPHANS: &str = "SELECT nspname::text FROM pg_namespace
     WHERE nspname ~ '^oncelab_[0-9a-f]+_[0-9a-f]{8}$' AND pg_has_role(nspowner, 'USAGE')
     AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name IN (nspname, nspname || '_keeper'))";

/// Empties the tables.
pub(super) fn empty() -> String {
    format!("TRUNCATE {} RESTART IDENTITY", StoreTable::names().collect::<Vec<_>>().join(", "))
}

/// Undoes [`tables`].
pub(super) fn drop_tables() -> String {
    format!("DROP TABLE {}", StoreTable::names().collect::<Vec<_>>().join(", "))
}

/// The number of accounts.
pub(super) const FILL: &str = "INSERT INTO account SELECT id, 0 FROM generate_series(0::bigint, $1 - 1) id";

/// The first account, and the one after the last.
pub(super) const OPEN_ACCOUNTS: &str =
    "INSERT INTO account SELECT id, 0 FROM generate_series($1::bigint, $2::bigint - 1) id";

/// The first and the last account, the first and the last message.
pub(super) const LEDGER_OF: &str = "SELECT number, message, account, amount, balance, token, attempt, copy FROM ledger
     WHERE account BETWEEN $1 AND $2 OR message BETWEEN $3 AND $4 ORDER BY number";

/// The first and the last account.
pub(super) const BALANCES: &str = "SELECT id, balance FROM account WHERE id BETWEEN $1 AND $2 ORDER BY id";

/// The first and the last message, the time by the clock of whoever asks, its day, the end that never comes: whether any of the
/// messages is taken for a time, and no transaction has the row.
pub(super) const IS_TAKEN: &str =
    "SELECT EXISTS (SELECT FROM claimed WHERE message BETWEEN $1 AND $2 AND expires > $3 AND expires < $5 FOR UPDATE SKIP LOCKED)
     OR EXISTS (SELECT FROM daily WHERE message BETWEEN $1 AND $2 AND day >= $4 FOR UPDATE SKIP LOCKED)";

/// The same: the time runs out for which they are taken, and midnight passes. No two rows of a message get the same day.
pub(super) const END_TAKING: &str = "WITH ended AS (UPDATE claimed SET expires = 0
        WHERE message BETWEEN $1 AND $2 AND expires > $3 AND expires < $5)
     UPDATE daily SET day = (SELECT min(day) - 1 FROM daily AS old WHERE old.message = daily.message)
     WHERE message BETWEEN $1 AND $2 AND day >= $4";

/// Process id: the processes that it waits for.
pub(super) const BLOCKING: &str = "SELECT pg_blocking_pids($1)";

/// Process id.
pub(super) const TERMINATE: &str = "SELECT pg_terminate_backend($1)";

/// Process id: whether the server still has it.
pub(super) const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";

pub(super) const LEDGER: &str =
    "SELECT number, message, account, amount, balance, token, attempt, copy FROM ledger ORDER BY number";

pub(super) const SETTINGS: &str = "SELECT version(), current_setting('fsync'), current_setting('synchronous_commit'),
     current_setting('default_transaction_isolation'), current_setting('shared_buffers'),
     current_setting('server_version_num')::int";

/// Whether this is a standby, whether transactions are read-only, and who asks.
pub(super) const CAN_WRITE: &str =
    "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on', current_user::text";

/// The time-outs that the server sets, if any: name and value.
pub(super) const TIMEOUTS: &str = "SELECT name, setting || coalesce(' ' || unit, '') FROM pg_settings
     WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
                    'idle_session_timeout') AND setting <> '0' ORDER BY name";

/// The schema that a connection works in, and the server's process behind it.
pub(super) const WHERE: &str = "SELECT current_schema()::text, pg_backend_pid()";

pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// A value for a statement, by the type that PostgreSQL takes it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    Bigint(Option<i64>),
    Int(i32),
    Smallint(i16),
}

/// Begins a transaction.
pub(super) fn begin(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
        Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
    }
}

/// The printed statements, by number; none for what is no program.
static PRINTED: LazyLock<Vec<Option<PrintedStatement>>> = LazyLock::new(|| {
    let print = |does| if let Does::Rows(program) = does { Some(printed(&program)) } else { None };
    StoreOp::programs().map(print).collect()
});

/// What a strategy asks for most, if it asks once for everything: claim, effect and answer in one statement.
pub(super) fn claim_and_apply() -> &'static str {
    let place = StoreOp::place_of("claim-and-apply").expect("stores know it");
    &PRINTED[place].as_ref().expect("it is a program").text
}

/// What an operation reads or changes, and the values in their order, where rows are taken for so long.
///
/// # Panics
/// If it begins or ends a transaction.
pub(super) fn statement(op: StoreOp, by: Delivery, ttl_us: i64) -> (&'static str, Vec<Argument>) {
    if *op.does() == Does::Own {
        let sql = op.own();
        return (sql.text(), sql.values().into_iter().map(|value| Argument::Bigint(Some(value))).collect());
    }
    let Some(PrintedStatement { text, parameters }) = &PRINTED[op.place()] else { panic!("`{op}` is no statement") };
    let argument = |parameter: &Parameter| match parameter {
        Parameter::Amount => Argument::Int(op.effect().amount),
        Parameter::Attempt => Argument::Smallint(by.attempt.into()),
        Parameter::Copy => Argument::Smallint(by.copy.into()),
        Parameter::Message
        | Parameter::Account
        | Parameter::Value
        | Parameter::Balance
        | Parameter::Token
        | Parameter::Client
        | Parameter::Now
        | Parameter::Expires
        | Parameter::Day => Argument::Bigint(op.value_of(*parameter, by, ttl_us)),
    };
    (text, parameters.iter().map(argument).collect())
}
