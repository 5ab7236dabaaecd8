//! The SQL of each writing operation.
//!
//! Several statements go to the driver in one call, as one round trip would to a server. A later one applies only if the
//! one before it changed something: `changes()` is the number of rows that the last finished statement changed.
//! Parameters are bound in the order in which they stand.

/// The statements of an operation: inside an open transaction, and as a transaction of their own.
#[derive(Clone, Copy)]
pub(super) struct Statements {
    pub inside: &'static str,
    pub alone: &'static str,
}

macro_rules! statements {
    ($($part:expr),+) => {
        Statements { inside: concat!($($part),+), alone: concat!("BEGIN IMMEDIATE; ", $($part,)+ "; COMMIT") }
    };
}

/// Effect and ledger: amount, account; message, amount, token, attempt, copy, account. Gives the balance.
macro_rules! apply_if {
    ($condition:expr) => {
        change!("balance + ?", $condition)
    };
}

/// As [`apply_if`], with another way to change the balance.
macro_rules! change {
    ($balance:expr, $condition:expr) => {
        concat!(
            "UPDATE account SET balance = ",
            $balance,
            " WHERE id = ?",
            $condition,
            "; INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
             SELECT ?, id, ?, balance, ?, ?, ? FROM account WHERE id = ? AND changes() > 0 RETURNING balance"
        )
    };
}

/// The tables. The last one is that of claims, which is where a mistake can be.
pub(super) const TABLES: [&str; 9] = [
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
    "CREATE TABLE ledger (number INTEGER PRIMARY KEY, message INTEGER NOT NULL, account INTEGER NOT NULL,
     amount INTEGER NOT NULL, balance INTEGER NOT NULL, token INTEGER, attempt INTEGER NOT NULL, copy INTEGER NOT NULL)",
    "CREATE TABLE mark (message INTEGER NOT NULL, answer INTEGER NOT NULL)",
    "CREATE INDEX mark_by_message ON mark (message)",
    "CREATE TABLE answer (message INTEGER NOT NULL, answer INTEGER NOT NULL)",
    "CREATE INDEX answer_by_message ON answer (message)",
    "CREATE TABLE fence (account INTEGER PRIMARY KEY, token INTEGER NOT NULL)",
    "CREATE TABLE owner (account INTEGER PRIMARY KEY, lease INTEGER NOT NULL)",
    "CREATE TABLE claim (message INTEGER PRIMARY KEY)",
];

/// The first account, and the one after the last.
pub(super) const FILL: &str =
    "WITH RECURSIVE each (id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM each WHERE id + 1 < ?2)
     INSERT INTO account SELECT id, 0 FROM each";

pub(super) const EMPTY: &str =
    "BEGIN IMMEDIATE; DELETE FROM account; DELETE FROM ledger; DELETE FROM mark; DELETE FROM answer;
     DELETE FROM fence; DELETE FROM owner; DELETE FROM claim; COMMIT";

/// Account.
pub(super) const LEDGER_OF: &str = "SELECT number, message, account, amount, balance, token, attempt, copy FROM ledger WHERE account = ? ORDER BY number";

pub(super) const LEDGER: &str =
    "SELECT number, message, account, amount, balance, token, attempt, copy FROM ledger ORDER BY number";

pub(super) const READ_MARK: &str = "SELECT answer FROM mark WHERE message = ? LIMIT 1";
pub(super) const READ_ANSWER: &str = "SELECT answer FROM answer WHERE message = ? LIMIT 1";
pub(super) const READ_BALANCE: &str = "SELECT balance FROM account WHERE id = ?";

/// Message, answer.
pub(super) const MARK: Statements = statements!("INSERT INTO mark (message, answer) VALUES (?, ?)");

/// Message, answer.
pub(super) const ANSWER: Statements = statements!("INSERT INTO answer (message, answer) VALUES (?, ?)");

/// Message. Gives a row if it is new.
pub(super) const CLAIM: Statements =
    statements!("INSERT INTO claim (message) VALUES (?) ON CONFLICT DO NOTHING RETURNING message");

/// Account, token. Gives a row if no higher token has been seen.
pub(super) const FENCE: Statements = statements!(
    "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account)
     DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token RETURNING token"
);

/// The mistake in its place: any token is accepted.
pub(super) const FENCE_BLINDLY: Statements = statements!(
    "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET token = excluded.token RETURNING token"
);

/// As [`apply_if`].
pub(super) const APPLY: Statements = statements!(apply_if!(""));

/// As [`apply_if`], with the new balance for the first amount.
pub(super) const OVERWRITE: Statements = statements!(change!("?", ""));

/// Account, token; then as [`apply_if`].
pub(super) const APPLY_FENCED: Statements = statements!(
    "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account)
     DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token; ",
    apply_if!(" AND changes() > 0")
);

/// The mistake in its place: any token is accepted.
pub(super) const APPLY_FENCED_BLINDLY: Statements = statements!(
    "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET token = excluded.token; ",
    apply_if!(" AND changes() > 0")
);

/// Account, lease; then as [`apply_if`].
pub(super) const APPLY_UNDER_LEASE: Statements = statements!(
    "INSERT INTO owner (account, lease) VALUES (?, ?) ON CONFLICT (account)
     DO UPDATE SET lease = excluded.lease WHERE owner.lease = excluded.lease; ",
    apply_if!(" AND changes() > 0")
);

/// Message; then as [`apply_if`]; then message, account.
pub(super) const CLAIM_AND_APPLY: Statements = statements!(
    "INSERT INTO claim (message) VALUES (?) ON CONFLICT DO NOTHING; ",
    apply_if!(" AND changes() > 0"),
    "; INSERT INTO answer (message, answer) SELECT ?, balance FROM account WHERE id = ? AND changes() > 0"
);
