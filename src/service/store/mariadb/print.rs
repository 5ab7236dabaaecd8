//! Prints statements for MariaDB. A statement of one act is one of SQL; a longer one is a procedure in the schema of the run, since
//! MariaDB has no statement that changes several tables and goes on with what it has changed. Either is one round trip.
//!
//! A procedure is done as a whole or not at all: outside of a transaction it is one of its own, and inside of one it has a savepoint,
//! since a wait for a lock that takes too long undoes one statement and not the transaction.

use crate::service::store::program::{Act, Columns, FOREVER, OnConflict, Parameter, Program, StoreTable};

/// What a connection sends, and what must be in the schema for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrintedCall {
    pub text: String,
    /// In the order in which they stand in the text.
    pub parameters: Vec<Parameter>,
    pub answers: Answers,
    /// What makes the procedure that the text calls, if it calls one.
    pub procedure: Option<String>,
}

/// How a statement says what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// By a row, or none.
    WithRow,
    /// By the number of rows that it has changed.
    WithCount,
}

/// Prints a program. If it needs a procedure, this is the procedure's name.
pub(super) fn printed(program: &Program, name: &str) -> PrintedCall {
    match program.acts {
        [Act::Read(table)] => {
            let Columns { key_is, .. } = table.columns();
            let text = read(table.columns(), "", "?");
            PrintedCall { text, parameters: vec![key_is], answers: Answers::WithRow, procedure: None }
        }
        [Act::Lock(table)] => {
            let Columns { key_is, .. } = table.columns();
            let text = read(table.columns(), "", "?") + " FOR UPDATE";
            PrintedCall { text, parameters: vec![key_is], answers: Answers::WithRow, procedure: None }
        }
        [Act::Insert(table, conflict @ (OnConflict::Another | OnConflict::Nothing))] => {
            let Columns { key_is, value, .. } = table.columns();
            let parameters = std::iter::once(key_is).chain(value.map(|_| Parameter::Value)).collect();
            let text = insert(table.columns(), *conflict, |_| "?".to_owned());
            PrintedCall { text, parameters, answers: Answers::WithCount, procedure: None }
        }
        acts => procedure(acts, name),
    }
}

/// A program as a procedure, which is called with what it is told.
fn procedure(acts: &[Act], name: &str) -> PrintedCall {
    let mut parameters = Vec::new();
    let mut body: Vec<String> = Vec::new();
    for act in acts {
        for parameter in told(*act) {
            if !parameters.contains(&parameter) {
                parameters.push(parameter);
            }
        }
        body.extend(lines(*act));
    }
    let declared: Vec<String> = parameters.iter().map(|parameter| format!("{} BIGINT", named(*parameter))).collect();
    let places = vec!["?"; parameters.len()].join(", ");
    let text = format!("CALL {name}({places})");
    let body = body.join("\n    ");
    let procedure = format!(
        "CREATE PROCEDURE {name}({declared})
BEGIN
  DECLARE v_alone BOOLEAN DEFAULT NOT @@in_transaction;
  DECLARE v_went BOOLEAN DEFAULT FALSE;
  DECLARE v_balance, v_given BIGINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
    BEGIN
      DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
      IF v_alone THEN ROLLBACK; ELSE ROLLBACK TO SAVEPOINT before_acts; END IF;
    END;
    RESIGNAL;
  END;
  IF v_alone THEN START TRANSACTION; ELSE SAVEPOINT before_acts; END IF;
  acts: BEGIN
    {body}
    SET v_went = TRUE;
  END;
  IF v_alone THEN COMMIT; END IF;
  SELECT v_given FROM DUAL WHERE v_went;
END",
        declared = declared.join(", "),
    );
    PrintedCall { text, parameters, answers: Answers::WithRow, procedure: Some(procedure) }
}

/// What a parameter is called in a procedure: as no column is.
fn named(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Message => "p_message",
        Parameter::Account => "p_account",
        Parameter::Amount => "p_amount",
        Parameter::Value => "p_value",
        Parameter::Balance => "p_balance",
        Parameter::Token => "p_token",
        Parameter::Attempt => "p_attempt",
        Parameter::Copy => "p_copy",
        Parameter::Client => "p_client",
        Parameter::Now => "p_now",
        Parameter::Expires => "p_expires",
        Parameter::Day => "p_day",
    }
}

/// What an act is told.
fn told(act: Act) -> Vec<Parameter> {
    match act {
        Act::Read(table) | Act::InsertBalance(table) | Act::Lock(table) | Act::Keep(table) | Act::Delete(table) => {
            vec![table.columns().key_is]
        }
        // Strategies that need these locks run elsewhere: MariaDB has none that end with a transaction.
        Act::Advisory(_) => vec![Parameter::Message],
        Act::Set(table) => vec![table.columns().key_is, Parameter::Value],
        Act::Insert(StoreTable::Daily, _) => vec![Parameter::Message, Parameter::Day],
        Act::Insert(table, OnConflict::Take) => vec![table.columns().key_is, Parameter::Expires, Parameter::Now],
        Act::Insert(table, _) => {
            let Columns { key_is, value, .. } = table.columns();
            std::iter::once(key_is).chain(value.map(|_| Parameter::Value)).collect()
        }
        Act::AddAmount => vec![Parameter::Amount, Parameter::Account],
        Act::SetBalance => vec![Parameter::Balance, Parameter::Account],
        Act::PutAmount => vec![Parameter::Amount, Parameter::Account],
        Act::Clear => vec![Parameter::Account],
        Act::Append | Act::Record => vec![
            Parameter::Message,
            Parameter::Account,
            Parameter::Amount,
            Parameter::Token,
            Parameter::Attempt,
            Parameter::Copy,
        ],
    }
}

/// What stops a procedure whose last act has changed nothing.
fn unless(condition: &str) -> String {
    format!("IF {condition} THEN LEAVE acts; END IF;")
}

/// An act as statements of a procedure. The last one stops it if no row was changed.
fn lines(act: Act) -> Vec<String> {
    match act {
        Act::Read(table) => {
            let columns = table.columns();
            vec![format!("{};", read(columns, " INTO v_given", named(columns.key_is)))]
        }
        Act::Lock(table) => {
            let columns = table.columns();
            vec![format!("{} FOR UPDATE;", read(columns, " INTO v_given", named(columns.key_is)))]
        }
        Act::Advisory(_) => Vec::new(),
        Act::Keep(table) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let value = value.unwrap_or(key);
            vec![format!("UPDATE {table} SET {value} = {FOREVER} WHERE {key} = {};", named(key_is))]
        }
        Act::Set(table) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let value = value.unwrap_or(key);
            vec![format!("UPDATE {table} SET {value} = p_value WHERE {key} = {};", named(key_is))]
        }
        Act::Delete(table) => {
            let Columns { table, key, key_is, .. } = table.columns();
            vec![format!("DELETE FROM {table} WHERE {key} = {};", named(key_is))]
        }
        Act::Insert(StoreTable::Daily, _) => {
            vec![
                "INSERT IGNORE INTO daily (message, day) VALUES (p_message, p_day);".to_owned(),
                unless("ROW_COUNT() = 0"),
            ]
        }
        Act::Insert(table, OnConflict::Take) => {
            take_place(table, "p_expires", "VALUES (p_message, p_expires)", "<= p_now")
        }
        Act::Insert(table, OnConflict::Raise) => {
            let own = named(table.columns().key_is);
            take_place(table, "p_value", &format!("VALUES ({own}, p_value)"), "< p_value")
        }
        Act::Insert(table, OnConflict::Next) => {
            let own = named(table.columns().key_is);
            take_place(table, "p_value", &format!("SELECT {own}, p_value FROM DUAL WHERE p_value = 1"), "+ 1 = p_value")
        }
        Act::Insert(table, OnConflict::Replace) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let (own, value) = (named(key_is), value.unwrap_or(key));
            vec![format!(
                "INSERT INTO {table} ({key}, {value}) VALUES ({own}, p_value) ON DUPLICATE KEY UPDATE {value} = p_value;"
            )]
        }
        Act::Insert(table, conflict) => {
            let columns = table.columns();
            let insert = insert(columns, conflict, |parameter| named(parameter).to_owned());
            let condition = match (conflict, columns.value) {
                (OnConflict::KeepHigher | OnConflict::KeepFirst, Some(value)) => {
                    let Columns { table, key, key_is, .. } = columns;
                    // What counts is what is there now, and not what the transaction's snapshot has.
                    let there =
                        format!("SELECT {value} INTO v_given FROM {table} WHERE {key} = {} FOR UPDATE;", named(key_is));
                    return vec![format!("{insert};"), there, unless("v_given <> p_value")];
                }
                (_, _) => unless("ROW_COUNT() = 0"),
            };
            vec![format!("{insert};"), condition]
        }
        Act::AddAmount | Act::SetBalance | Act::PutAmount | Act::Clear => {
            let balance = match act {
                Act::SetBalance => "p_balance",
                Act::PutAmount => "p_amount",
                Act::Clear => "0",
                _ => "balance + p_amount",
            };
            // A row that is set to what it holds already is not changed, and a transaction's snapshot would show it as it was before.
            let now = read(StoreTable::Account.columns(), " INTO v_balance", "p_account");
            vec![
                format!("UPDATE account SET balance = {balance} WHERE id = p_account;"),
                format!("{now} FOR UPDATE;"),
                unless("v_balance IS NULL"),
                "SET v_given = v_balance;".to_owned(),
            ]
        }
        Act::Record => vec![
            "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy) \
             VALUES (p_message, p_account, p_amount, 0, p_token, p_attempt, p_copy);"
                .to_owned(),
            "SET v_given = 0;".to_owned(),
        ],
        Act::Append => vec![
            "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy) \
             VALUES (p_message, p_account, p_amount, v_balance, p_token, p_attempt, p_copy);"
                .to_owned(),
        ],
        Act::InsertBalance(table) => {
            let Columns { table, key, key_is, value, .. } = table.columns();
            let value = value.unwrap_or("balance");
            vec![format!("INSERT INTO {table} ({key}, {value}) VALUES ({}, v_balance);", named(key_is))]
        }
    }
}

/// Inserts a row, or else changes the value of the one that is there if it stands so to the new one.
fn take_place(table: StoreTable, new: &str, row: &str, stands: &str) -> Vec<String> {
    let Columns { table, key, key_is, value, .. } = table.columns();
    let (own, value) = (named(key_is), value.unwrap_or(key));
    vec![
        format!("INSERT IGNORE INTO {table} ({key}, {value}) {row};"),
        "IF ROW_COUNT() = 0 THEN".to_owned(),
        format!("UPDATE {table} SET {value} = {new} WHERE {key} = {own} AND {value} {stands};"),
        unless("ROW_COUNT() = 0"),
        "END IF;".to_owned(),
    ]
}

fn read(columns: Columns, into: &str, which: &str) -> String {
    let Columns { table, key, value, has_several, .. } = columns;
    let limit = if has_several { " LIMIT 1" } else { "" };
    format!("SELECT {}{into} FROM {table} WHERE {key} = {which}{limit}", value.unwrap_or(key))
}

fn insert(columns: Columns, conflict: OnConflict, place: impl Fn(Parameter) -> String) -> String {
    let Columns { table, key, key_is, value, .. } = columns;
    let own = place(key_is);
    let (names, values) = match value {
        Some(value) => (format!("{key}, {value}"), format!("{own}, {}", place(Parameter::Value))),
        None => (key.to_owned(), own),
    };
    let ignore = if conflict == OnConflict::Nothing { " IGNORE" } else { "" };
    let update = match (conflict.compares(), value) {
        (Some(compares), Some(value)) => {
            let new = place(Parameter::Value);
            format!(" ON DUPLICATE KEY UPDATE {value} = IF({value} {compares} {new}, {new}, {value})")
        }
        (None, _) | (_, None) => String::new(),
    };
    format!("INSERT{ignore} INTO {table} ({names}) VALUES ({values}){update}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::store::op::{Does, StoreOp};

    /// The statements of the operations of one kind.
    fn of(kind: &str) -> PrintedCall {
        let place = StoreOp::place_of(kind).unwrap();
        let Some(Does::Rows(program)) = StoreOp::programs().nth(place) else { panic!("{kind} is no program") };
        printed(&program, "it")
    }

    #[test]
    fn a_statement_of_one_act_is_one_of_sql() {
        for (kind, text) in [
            ("read-mark", "SELECT answer FROM mark WHERE message = ? LIMIT 1"),
            ("write-mark", "INSERT INTO mark (message, answer) VALUES (?, ?)"),
            ("claim", "INSERT IGNORE INTO claim (message) VALUES (?)"),
            ("store-answer", "INSERT INTO answer (message, answer) VALUES (?, ?)"),
            ("read-answer", "SELECT answer FROM answer WHERE message = ? LIMIT 1"),
            ("read-balance", "SELECT balance FROM account WHERE id = ?"),
        ] {
            let printed = of(kind);
            assert_eq!((printed.text.as_str(), printed.procedure.is_none()), (text, true));
            assert_eq!(printed.parameters.len(), text.matches('?').count());
        }
    }

    /// The acts of a procedure, on a line each.
    fn acts(kind: &str) -> (String, Vec<String>) {
        let printed = of(kind);
        let procedure = printed.procedure.unwrap();
        let (_, rest) = procedure.split_once("acts: BEGIN\n").unwrap();
        let (acts, _) = rest.split_once("SET v_went").unwrap();
        (printed.text, acts.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
    }

    #[test]
    fn a_longer_one_is_a_procedure_that_goes_on_while_rows_are_changed() {
        const CHANGE: [&str; 4] = [
            "UPDATE account SET balance = balance + p_amount WHERE id = p_account;",
            "SELECT balance INTO v_balance FROM account WHERE id = p_account FOR UPDATE;",
            "IF v_balance IS NULL THEN LEAVE acts; END IF;",
            "SET v_given = v_balance;",
        ];
        const APPEND: &str = "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy) \
             VALUES (p_message, p_account, p_amount, v_balance, p_token, p_attempt, p_copy);";
        let (text, lines) = acts("claim-and-apply");
        assert_eq!(text, "CALL it(?, ?, ?, ?, ?, ?)");
        let claim =
            ["INSERT IGNORE INTO claim (message) VALUES (p_message);", "IF ROW_COUNT() = 0 THEN LEAVE acts; END IF;"];
        let answer = "INSERT INTO answer (message, answer) VALUES (p_message, v_balance);";
        assert_eq!(lines, [&claim[..], &CHANGE, &[APPEND, answer]].concat());

        let (_, lines) = acts("apply-under-lease");
        let owner = [
            "INSERT INTO owner (account, lease) VALUES (p_account, p_value) \
             ON DUPLICATE KEY UPDATE lease = IF(lease = p_value, p_value, lease);",
            "SELECT lease INTO v_given FROM owner WHERE account = p_account FOR UPDATE;",
            "IF v_given <> p_value THEN LEAVE acts; END IF;",
        ];
        assert_eq!(lines, [&owner[..], &CHANGE, &[APPEND]].concat());
        let (text, lines) = acts("check-token");
        assert_eq!(text, "CALL it(?, ?)");
        assert!(
            lines[0].ends_with("ON DUPLICATE KEY UPDATE token = IF(token <= p_value, p_value, token);"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_procedure_undoes_no_more_and_no_less_than_its_own() {
        let procedure = of("claim-and-apply").procedure.unwrap();
        for needed in [
            "IF v_alone THEN START TRANSACTION; ELSE SAVEPOINT before_acts; END IF;",
            "IF v_alone THEN ROLLBACK; ELSE ROLLBACK TO SAVEPOINT before_acts; END IF;",
            "IF v_alone THEN COMMIT; END IF;",
            "RESIGNAL;",
        ] {
            assert!(procedure.contains(needed), "{procedure}");
        }
    }
}
