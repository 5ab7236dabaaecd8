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

/// Message; then as [`apply_if`]; then message, account.
pub(super) const CLAIM_AND_APPLY: Statements = statements!(
    "INSERT INTO claim (message) VALUES (?) ON CONFLICT DO NOTHING; ",
    apply_if!(" AND changes() > 0"),
    "; INSERT INTO answer (message, answer) SELECT ?, balance FROM account WHERE id = ? AND changes() > 0"
);
