//! The SQL of the lab's own, and the statement of each operation with its values.

use std::sync::LazyLock;

use super::print::{Answers, PrintedCall, printed};
use crate::service::store::program::StoreTable;
use crate::service::store::{Does, StoreOp};
use crate::terms::{Delivery, Isolation};

/// What makes the tables, in the schema of the run.
pub(super) fn tables() -> Vec<String> {
    let ledger = "CREATE TABLE ledger (number BIGINT AUTO_INCREMENT PRIMARY KEY, message BIGINT NOT NULL, \
                  account BIGINT NOT NULL, amount BIGINT NOT NULL, balance BIGINT NOT NULL, token BIGINT, \
                  attempt BIGINT NOT NULL, copy BIGINT NOT NULL)";
    let tables = StoreTable::ALL.into_iter().flat_map(|table| table.definition("BIGINT", false));
    let with_engine = |text: String| if text.starts_with("CREATE TABLE") { text + " ENGINE = InnoDB" } else { text };
    tables.chain([ledger.to_owned()]).map(with_engine).collect()
}

/// How many accounts one statement opens at the most.
pub(super) const ACCOUNTS_AT_ONCE: usize = 2_000;

/// The version, and the id of this connection.
pub(super) const VERSION: &str = "SELECT VERSION(), CAST(CONNECTION_ID() AS SIGNED)";

/// The settings that matter for what a run shows. Not every version has each.
pub(super) const SETTINGS: &str =
    "SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM information_schema.SESSION_VARIABLES
     WHERE VARIABLE_NAME IN ('TX_ISOLATION', 'INNODB_FLUSH_LOG_AT_TRX_COMMIT', 'INNODB_SNAPSHOT_ISOLATION',
        'INNODB_LOCK_WAIT_TIMEOUT', 'INNODB_ROLLBACK_ON_TIMEOUT', 'INNODB_DEADLOCK_DETECT', 'INNODB_BUFFER_POOL_SIZE',
        'LOG_BIN', 'SYNC_BINLOG') ORDER BY 1";

/// Whether the server can only be read, whether a statement is a transaction of its own, and who asks.
pub(super) const CAN_WRITE: &str = "SELECT CAST(@@read_only AS SIGNED), CAST(@@autocommit AS SIGNED), CURRENT_USER()";

/// Each limit of connections that binds this user: its name, its value, and how many more it leaves.
pub(super) const CONNECTIONS: &str = "SELECT 'max_connections', CAST(@@max_connections AS SIGNED),
        CAST(@@max_connections AS SIGNED) - (SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS
            WHERE VARIABLE_NAME = 'THREADS_CONNECTED')
     UNION ALL SELECT 'max_user_connections', CAST(@@max_user_connections AS SIGNED), CAST(@@max_user_connections AS SIGNED)
        - (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = SUBSTRING_INDEX(USER(), '@', 1))
     FROM DUAL WHERE @@max_user_connections > 0";

/// The time-outs that the server sets, if any, and that end what takes long: name and value in seconds.
pub(super) const TIMEOUTS: &str =
    "SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM information_schema.SESSION_VARIABLES
     WHERE VARIABLE_NAME IN ('MAX_STATEMENT_TIME', 'IDLE_TRANSACTION_TIMEOUT', 'IDLE_WRITE_TRANSACTION_TIMEOUT',
        'IDLE_READONLY_TRANSACTION_TIMEOUT') AND VARIABLE_VALUE + 0 > 0 ORDER BY 1";

/// The schema that a connection works in, and its id.
pub(super) const WHERE: &str = "SELECT DATABASE(), CAST(CONNECTION_ID() AS SIGNED)";

/// Shows for as long as a connection lasts that a schema is in use: the schema's name.
pub(super) const KEEP: &str = "SELECT GET_LOCK(?, 0)";

/// Whoever keeps a schema says nothing for as long as the run lasts, and is not to be ended for that.
pub(super) const STAY: &str = "SET SESSION wait_timeout = 31536000";

/// Schemas of runs that nobody keeps any more.
pub(super) const ORPHANS: &str = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA
     WHERE SCHEMA_NAME RLIKE '^oncelab_[0-9a-f]+_[0-9a-f]{8}$' AND IS_FREE_LOCK(SCHEMA_NAME) = 1
     AND NOT EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = SCHEMA_NAME)";

/// The other connections that work in the schema.
pub(super) const OTHERS: &str = "SELECT CAST(ID AS SIGNED) FROM information_schema.PROCESSLIST
     WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";

/// Whether the server still has a connection: its id.
pub(super) const IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ?)";

/// The state of every transaction, as text. `information_schema.INNODB_LOCK_WAITS` says the same, but out of a cache that the server
/// does not renew while somebody asks for it more often than every tenth of a second.
pub(super) const TRANSACTIONS: &str = "SHOW ENGINE INNODB STATUS";

/// Whoever watches waits for nobody: what stands in the way for so long is a mistake.
pub(super) const IMPATIENT: &str = "SET SESSION lock_wait_timeout = 10, innodb_lock_wait_timeout = 10";

/// What brings the sizes up to date that the next one reads.
pub(super) fn measure() -> String {
    format!("ANALYZE TABLE {}", StoreTable::kept().collect::<Vec<_>>().join(", "))
}

/// What is kept besides accounts and ledger, and how far the log reaches, in bytes.
pub(super) fn usage() -> String {
    let names: Vec<String> = StoreTable::kept().map(|table| format!("'{table}'")).collect();
    format!(
        "SELECT (SELECT CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS SIGNED) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({})), (SELECT CAST(VARIABLE_VALUE AS SIGNED) \
         FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_LSN_CURRENT')",
        names.join(", ")
    )
}

/// The first and the last message, the time by the clock of whoever asks, the end that never comes: those that are taken for a time,
/// and whose row no transaction has.
pub(super) const TAKEN: &str = "SELECT message FROM claimed
     WHERE message BETWEEN ? AND ? AND expires > ? AND expires < ? FOR UPDATE SKIP LOCKED";

/// The first and the last message, the day by the clock of whoever asks: the same, of those that are taken until midnight.
pub(super) const TAKEN_TODAY: &str =
    "SELECT message FROM daily WHERE message BETWEEN ? AND ? AND day >= ? FOR UPDATE SKIP LOCKED";

/// As [`TAKEN`]: their time runs out.
pub(super) const END_TAKING: &str =
    "UPDATE claimed SET expires = 0 WHERE message BETWEEN ? AND ? AND expires > ? AND expires < ?";

/// As [`TAKEN_TODAY`]: midnight passes. What came on another day stands in nobody's way.
pub(super) const END_DAY: &str = "DELETE FROM daily WHERE message BETWEEN ? AND ? AND day >= ?";

/// The first and the last account, the first and the last message.
pub(super) const LEDGER_OF: &str = "SELECT number, message, account, amount, balance, token, attempt, copy FROM ledger
     WHERE account BETWEEN ? AND ? OR message BETWEEN ? AND ? ORDER BY number";

/// The first and the last account.
pub(super) const BALANCES: &str = "SELECT id, balance FROM account WHERE id BETWEEN ? AND ? ORDER BY id";

pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// Begins a transaction. Both statements go in one round trip; the level is that of the next transaction alone.
pub(super) fn begin(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION",
        Isolation::RepeatableRead => "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION",
        Isolation::Serializable => "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION",
    }
}

/// The printed statements, by number; none for what is no program.
static PRINTED: LazyLock<Vec<Option<PrintedCall>>> = LazyLock::new(|| {
    let print = |(place, does): (usize, Does)| match does {
        Does::Rows(program) => Some(printed(&program, &format!("program_{place}"))),
        Does::Begin | Does::Commit | Does::Rollback | Does::Own | Does::Both => None,
    };
    StoreOp::programs().enumerate().map(print).collect()
});

/// What makes the procedures that statements call.
pub(super) fn procedures() -> impl Iterator<Item = &'static str> {
    PRINTED.iter().flatten().filter_map(|printed| printed.procedure.as_deref())
}

/// A statement with its values.
pub(super) struct BoundStatement {
    pub text: &'static str,
    pub values: Vec<Option<i64>>,
    pub answers: Answers,
}

/// What an operation reads or changes; nothing if it begins or ends a transaction, or is the strategy's own.
pub(super) fn statement(op: StoreOp, by: Delivery, ttl_us: i64) -> Option<BoundStatement> {
    let PrintedCall { text, parameters, answers, .. } = PRINTED[op.place()].as_ref()?;
    let values = parameters.iter().map(|parameter| op.value_of(*parameter, by, ttl_us)).collect();
    Some(BoundStatement { text, values, answers: *answers })
}
