//! Prints statements for SQLite.
//!
//! Several go to the driver in one call, as one round trip would to a server. A later one applies only if the one before it changed
//! something: `changes()` is the number of rows that the last finished statement changed. Parameters are bound in the order in which
//! they stand.

use crate::service::store::program::{Act, Columns, FOREVER, OnConflict, Parameter, Program, StoreTable};

/// The statements' text, and their parameters in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrintedStatements {
    pub text: String,
    pub parameters: Vec<Parameter>,
}

/// Prints a program. Where tokens are not compared, which is a mistake on purpose, any of them is accepted.
pub(super) fn printed(program: &Program, compares_tokens: bool) -> PrintedStatements {
    let (mut texts, mut parameters) = (Vec::new(), Vec::new());
    for (n, act) in program.acts.iter().enumerate() {
        let goes_on = n > 0;
        let is_last = n + 1 == program.acts.len();
        let (text, told) = one(*act, goes_on, is_last, compares_tokens);
        texts.push(text);
        parameters.extend(told);
    }
    PrintedStatements { text: texts.join("; "), parameters }
}

fn one(act: Act, goes_on: bool, is_last: bool, compares_tokens: bool) -> (String, Vec<Parameter>) {
    let condition = if goes_on { " AND changes() > 0" } else { "" };
    match act {
        Act::Read(table) => {
            let Columns { table, key, key_is, value, has_several, .. } = table.columns();
            let limit = if has_several { " LIMIT 1" } else { "" };
            (format!("SELECT {} FROM {table} WHERE {key} = ?{limit}", value.unwrap_or(key)), vec![key_is])
        }
        // A transaction that may write has the whole database to itself: there is nothing to lock.
        Act::Lock(table) => one(Act::Read(table), goes_on, is_last, compares_tokens),
        Act::Advisory(_) => ("SELECT 1 WHERE ? IS NOT NULL".to_owned(), vec![Parameter::Message]),
        Act::Keep(table) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let value = value.unwrap_or(key);
            (format!("UPDATE {table} SET {value} = {FOREVER} WHERE {key} = ?{condition}"), vec![key_is])
        }
        Act::Set(table) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let value = value.unwrap_or(key);
            (format!("UPDATE {table} SET {value} = ? WHERE {key} = ?{condition}"), vec![Parameter::Value, key_is])
        }
        Act::Delete(table) => {
            let Columns { table, key, key_is, .. } = table.columns();
            (format!("DELETE FROM {table} WHERE {key} = ?"), vec![key_is])
        }
        Act::Insert(StoreTable::Daily, _) => (
            format!(
                "INSERT INTO daily (message, day) VALUES (?, ?) ON CONFLICT DO NOTHING{}",
                returning(is_last, "day")
            ),
            vec![Parameter::Message, Parameter::Day],
        ),
        Act::Insert(table, OnConflict::Take) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let value = value.unwrap_or(key);
            let text = format!(
                "INSERT INTO {table} ({key}, {value}) VALUES (?, ?) ON CONFLICT ({key}) \
                 DO UPDATE SET {value} = excluded.{value} WHERE {table}.{value} <= ?{}",
                returning(is_last, value)
            );
            (text, vec![key_is, Parameter::Expires, Parameter::Now])
        }
        Act::Insert(table, conflict) => {
            let is_blind = !compares_tokens && table == StoreTable::Fence;
            let of_table = table.columns();
            let Columns { table, key, key_is, value, .. } = of_table;
            let (columns, values, mut told) = match value {
                Some(value) => (format!("{key}, {value}"), "?, ?", vec![key_is, Parameter::Value]),
                None => (key.to_owned(), "?", vec![key_is]),
            };
            let new = match conflict {
                OnConflict::Next => {
                    told.extend([Parameter::Value, key_is]);
                    format!("SELECT {values} WHERE ? = 1 OR EXISTS (SELECT 1 FROM {table} WHERE {key} = ?)")
                }
                _ => format!("VALUES ({values})"),
            };
            let on_conflict = of_table.on_conflict(conflict, is_blind);
            let tells = is_last && conflict != OnConflict::Another;
            let returning = returning(tells, value.unwrap_or(key));
            (format!("INSERT INTO {table} ({columns}) {new}{on_conflict}{returning}"), told)
        }
        Act::AddAmount => (
            format!("UPDATE account SET balance = balance + ? WHERE id = ?{condition}"),
            vec![Parameter::Amount, Parameter::Account],
        ),
        Act::SetBalance => (
            format!("UPDATE account SET balance = ? WHERE id = ?{condition}"),
            vec![Parameter::Balance, Parameter::Account],
        ),
        Act::PutAmount => (
            format!("UPDATE account SET balance = ? WHERE id = ?{condition}"),
            vec![Parameter::Amount, Parameter::Account],
        ),
        Act::Clear => (format!("UPDATE account SET balance = 0 WHERE id = ?{condition}"), vec![Parameter::Account]),
        Act::Record => (
            "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy) \
             VALUES (?, ?, ?, 0, ?, ?, ?) RETURNING balance"
                .to_owned(),
            vec![
                Parameter::Message,
                Parameter::Account,
                Parameter::Amount,
                Parameter::Token,
                Parameter::Attempt,
                Parameter::Copy,
            ],
        ),
        Act::Append => (
            "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy) \
             SELECT ?, id, ?, balance, ?, ?, ? FROM account WHERE id = ? AND changes() > 0 RETURNING balance"
                .to_owned(),
            vec![
                Parameter::Message,
                Parameter::Amount,
                Parameter::Token,
                Parameter::Attempt,
                Parameter::Copy,
                Parameter::Account,
            ],
        ),
        Act::InsertBalance(table) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let value = value.unwrap_or("balance");
            (
                format!("INSERT INTO {table} ({key}, {value}) SELECT ?, balance FROM account WHERE id = ?{condition}"),
                vec![key_is, Parameter::Account],
            )
        }
    }
}

/// What tells that a row was changed, where that is to be told.
fn returning(tells: bool, column: &str) -> String {
    if tells { format!(" RETURNING {column}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::store::op::{Does, StoreOp};

    #[test]
    fn every_statement_is_printed_as_it_was_written_by_hand() {
        // In the order of the operations. Those that were added since stand behind them, and were never written by hand.
        let by_hand = [
            known::READ_MARK,
            known::MARK,
            known::CLAIM,
            known::ANSWER,
            known::READ_ANSWER,
            known::APPLY,
            known::APPLY_FENCED,
            known::APPLY_UNDER_LEASE,
            known::CLAIM_AND_APPLY,
            known::READ_BALANCE,
            known::OVERWRITE,
            known::FENCE,
        ];
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let programs: Vec<Program> = StoreOp::programs()
            .filter_map(|does| if let Does::Rows(program) = does { Some(program) } else { None })
            .collect();
        assert!(programs.len() >= by_hand.len());
        for (program, text) in programs.iter().zip(by_hand) {
            let printed = printed(program, true);
            assert_eq!(printed.text, flat(text));
            assert_eq!(printed.parameters.len(), printed.text.matches('?').count(), "{}", printed.text);
        }
        assert_eq!(printed(&programs[11], false).text, flat(known::FENCE_BLINDLY));
        assert_eq!(printed(&programs[6], false).text, flat(known::APPLY_FENCED_BLINDLY));
    }

    #[test]
    fn sqlite_takes_every_statement_that_is_printed() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        for table in crate::service::store::sqlite::statements::tables(false) {
            database.execute(&table, []).unwrap();
        }
        let mut taken = 0;
        for does in StoreOp::programs() {
            let Does::Rows(program) = does else { continue };
            for text in printed(&program, true).text.split("; ") {
                database.prepare(text).unwrap_or_else(|error| panic!("{text}: {error}"));
                taken += 1;
            }
        }
        assert!(taken > StoreOp::programs().count(), "some are several statements");
    }

    /// As they were written before they were printed.
    mod known {
        macro_rules! statements {
            ($($part:expr),+) => { concat!($($part),+) };
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

        pub const READ_MARK: &str = "SELECT answer FROM mark WHERE message = ? LIMIT 1";
        pub const READ_ANSWER: &str = "SELECT answer FROM answer WHERE message = ? LIMIT 1";
        pub const READ_BALANCE: &str = "SELECT balance FROM account WHERE id = ?";

        /// Message, answer.
        pub const MARK: &str = statements!("INSERT INTO mark (message, answer) VALUES (?, ?)");

        /// Message, answer.
        pub const ANSWER: &str = statements!("INSERT INTO answer (message, answer) VALUES (?, ?)");

        /// Message. Gives a row if it is new.
        pub const CLAIM: &str =
            statements!("INSERT INTO claim (message) VALUES (?) ON CONFLICT DO NOTHING RETURNING message");

        /// Account, token. Gives a row if no higher token has been seen.
        pub const FENCE: &str = statements!(
            "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account)
             DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token RETURNING token"
        );

        /// The mistake in its place: any token is accepted.
        pub const FENCE_BLINDLY: &str = statements!(
            "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET token = excluded.token RETURNING token"
        );

        /// As [`apply_if`].
        pub const APPLY: &str = statements!(apply_if!(""));

        /// As [`apply_if`], with the new balance for the first amount.
        pub const OVERWRITE: &str = statements!(change!("?", ""));

        /// Account, token; then as [`apply_if`].
        pub const APPLY_FENCED: &str = statements!(
            "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account)
             DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token; ",
            apply_if!(" AND changes() > 0")
        );

        /// The mistake in its place: any token is accepted.
        pub const APPLY_FENCED_BLINDLY: &str = statements!(
            "INSERT INTO fence (account, token) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET token = excluded.token; ",
            apply_if!(" AND changes() > 0")
        );

        /// Account, lease; then as [`apply_if`].
        pub const APPLY_UNDER_LEASE: &str = statements!(
            "INSERT INTO owner (account, lease) VALUES (?, ?) ON CONFLICT (account)
             DO UPDATE SET lease = excluded.lease WHERE owner.lease = excluded.lease; ",
            apply_if!(" AND changes() > 0")
        );

        /// Message; then as [`apply_if`]; then message, account.
        pub const CLAIM_AND_APPLY: &str = statements!(
            "INSERT INTO claim (message) VALUES (?) ON CONFLICT DO NOTHING; ",
            apply_if!(" AND changes() > 0"),
            "; INSERT INTO answer (message, answer) SELECT ?, balance FROM account WHERE id = ? AND changes() > 0"
        );
    }
}
