//! Prints statements for PostgreSQL: each is one statement, in one round trip.

use crate::service::store::program::{Act, Advisory, Columns, FOREVER, OnConflict, Parameter, Program, StoreTable};

/// A statement's text, and its parameters in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrintedStatement {
    pub text: String,
    pub parameters: Vec<Parameter>,
}

/// What an appending statement is told first, whatever else it does.
const OF_AN_EFFECT: [Parameter; 6] =
    [Parameter::Amount, Parameter::Account, Parameter::Message, Parameter::Token, Parameter::Attempt, Parameter::Copy];

/// Prints a program. What comes before the last act is named with WITH; the ledger is last, since it gives the balance.
pub(super) fn printed(program: &Program) -> PrintedStatement {
    let mut printer = Printer { parameters: Vec::new(), is_fenced: false };
    if program.acts.iter().any(|act| matches!(act, Act::Append | Act::Record)) {
        printer.parameters.extend(OF_AN_EFFECT);
        printer.is_fenced = program.acts.contains(&Act::Insert(StoreTable::Fence, OnConflict::KeepHigher));
    }
    let (mut parts, mut last, mut before) = (Vec::new(), String::new(), None);
    let main =
        *program.acts.iter().find(|act| matches!(act, Act::Append)).or(program.acts.last()).unwrap_or(&Act::Append);
    for act in program.acts {
        let columns = match act {
            Act::Read(table)
            | Act::Insert(table, _)
            | Act::InsertBalance(table)
            | Act::Lock(table)
            | Act::Keep(table)
            | Act::Set(table)
            | Act::Delete(table) => table.columns(),
            Act::AddAmount
            | Act::SetBalance
            | Act::PutAmount
            | Act::Clear
            | Act::Append
            | Act::Record
            | Act::Advisory(_) => StoreTable::Account.columns(),
        };
        let text = printer.act(*act, columns, before);
        if *act == main {
            last = text;
            continue;
        }
        let returning = match act {
            Act::Insert(..) => format!(" RETURNING {}", columns.key),
            Act::AddAmount | Act::SetBalance | Act::PutAmount | Act::Clear => " RETURNING balance".to_owned(),
            Act::Read(_)
            | Act::Append
            | Act::Record
            | Act::InsertBalance(_)
            | Act::Keep(_)
            | Act::Set(_)
            | Act::Delete(_)
            | Act::Lock(_)
            | Act::Advisory(_) => String::new(),
        };
        match act {
            // Nothing goes on with what is gone.
            Act::Delete(_) => parts.push(format!("gone_{} AS ({text})", columns.table)),
            _ => {
                parts.push(format!("{} AS ({text}{returning})", columns.changed));
                before = Some(columns);
            }
        }
    }
    let text = if parts.is_empty() { last } else { format!("WITH {} {last}", parts.join(", ")) };
    PrintedStatement { text, parameters: printer.parameters }
}

struct Printer {
    parameters: Vec<Parameter>,
    /// The operation's value is the effect's token.
    is_fenced: bool,
}

impl Printer {
    /// The number of a parameter.
    fn number(&mut self, parameter: Parameter) -> String {
        let parameter = if self.is_fenced && parameter == Parameter::Value { Parameter::Token } else { parameter };
        let at = self.parameters.iter().position(|known| *known == parameter).unwrap_or_else(|| {
            self.parameters.push(parameter);
            self.parameters.len() - 1
        });
        format!("${}", at + 1)
    }

    fn act(&mut self, act: Act, columns: Columns, before: Option<Columns>) -> String {
        let of_table = columns;
        let Columns { table, key, key_is, value, has_several, .. } = columns;
        match act {
            Act::Read(_) => {
                let limit = if has_several { " LIMIT 1" } else { "" };
                let value = value.unwrap_or(key);
                format!("SELECT {value} FROM {table} WHERE {key} = {}{limit}", self.number(key_is))
            }
            Act::Lock(_) => {
                let value = value.unwrap_or(key);
                format!("SELECT {value} FROM {table} WHERE {key} = {} FOR UPDATE", self.number(key_is))
            }
            // The locks are the whole database's: each schema has names of its own.
            Act::Advisory(how) => {
                let name = format!("hashtextextended(current_schema(), {})", self.number(Parameter::Message));
                match how {
                    Advisory::ForTransaction => format!("SELECT pg_advisory_xact_lock({name})"),
                    Advisory::ForSession => format!("SELECT pg_advisory_lock({name})"),
                    Advisory::Release => format!("SELECT pg_advisory_unlock({name})"),
                }
            }
            Act::Keep(_) => {
                let value = value.unwrap_or(key);
                format!("UPDATE {table} SET {value} = {FOREVER} WHERE {key} = {}", self.number(key_is))
            }
            Act::Set(_) => {
                let (own, new) = (self.number(key_is), self.number(Parameter::Value));
                format!("UPDATE {table} SET {} = {new} WHERE {key} = {own}", value.unwrap_or(key))
            }
            Act::Delete(_) => format!("DELETE FROM {table} WHERE {key} = {}", self.number(key_is)),
            Act::Insert(StoreTable::Daily, _) => {
                let (own, day) = (self.number(key_is), self.number(Parameter::Day));
                format!("INSERT INTO {table} ({key}, day) VALUES ({own}, {day}) ON CONFLICT DO NOTHING")
            }
            Act::Insert(_, OnConflict::Take) => {
                let (own, expires) = (self.number(key_is), self.number(Parameter::Expires));
                let (value, now) = (value.unwrap_or(key), self.number(Parameter::Now));
                format!(
                    "INSERT INTO {table} ({key}, {value}) VALUES ({own}, {expires}) ON CONFLICT ({key}) \
                     DO UPDATE SET {value} = excluded.{value} WHERE {table}.{value} <= {now}"
                )
            }
            Act::Insert(_, conflict) => {
                let own = self.number(key_is);
                let (columns, values) = match value {
                    Some(value) => (format!("{key}, {value}"), format!("{own}, {}", self.number(Parameter::Value))),
                    None => (key.to_owned(), own),
                };
                let new = match conflict {
                    OnConflict::Next => {
                        let (own, value) = (self.number(key_is), self.number(Parameter::Value));
                        let is_there = format!("EXISTS (SELECT FROM {table} WHERE {key} = {own})");
                        format!("SELECT {values} WHERE {value}::bigint = 1 OR {is_there}")
                    }
                    _ => format!("VALUES ({values})"),
                };
                format!("INSERT INTO {table} ({columns}) {new}{}", of_table.on_conflict(conflict, false))
            }
            Act::AddAmount | Act::SetBalance | Act::PutAmount | Act::Clear => {
                let balance = match act {
                    Act::SetBalance => self.number(Parameter::Balance),
                    Act::PutAmount => self.number(Parameter::Amount),
                    Act::Clear => "0".to_owned(),
                    _ => format!("balance + {}", self.number(Parameter::Amount)),
                };
                let account = self.number(Parameter::Account);
                let (from, id) = match before {
                    Some(Columns { changed, key_is: Parameter::Account, key, .. }) => {
                        (format!(" FROM {changed}"), format!("{changed}.{key}"))
                    }
                    Some(Columns { changed, .. }) => (format!(" FROM {changed}"), account),
                    None => (String::new(), account),
                };
                format!("UPDATE account SET balance = {balance}{from} WHERE id = {id}")
            }
            Act::Append => "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy) \
                            SELECT $3, $2, $1, balance, $4, $5, $6 FROM changed RETURNING balance"
                .to_owned(),
            Act::Record => "INSERT INTO ledger (message, account, amount, balance, token, attempt, copy) \
                            VALUES ($3, $2, $1, 0, $4, $5, $6) RETURNING balance"
                .to_owned(),
            Act::InsertBalance(_) => {
                let (own, value) = (self.number(key_is), value.unwrap_or("balance"));
                format!("INSERT INTO {table} ({key}, {value}) SELECT {own}, balance FROM changed")
            }
        }
    }
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
            known::WRITE_MARK,
            known::CLAIM,
            known::STORE_ANSWER,
            known::READ_ANSWER,
            known::APPLY,
            known::APPLY_FENCED,
            known::APPLY_UNDER_LEASE,
            known::CLAIM_AND_APPLY,
            known::READ_BALANCE,
            known::OVERWRITE,
            known::CHECK_TOKEN,
        ];
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
        let programs: Vec<Program> = StoreOp::programs()
            .filter_map(|does| if let Does::Rows(program) = does { Some(program) } else { None })
            .collect();
        assert!(programs.len() >= by_hand.len());
        for (program, text) in programs.iter().zip(by_hand) {
            let printed = printed(program);
            assert_eq!(printed.text, flat(text));
            let numbers = (1..).take_while(|number| printed.text.contains(&format!("${number}"))).count();
            assert_eq!(printed.parameters.len(), numbers, "{}", printed.text);
        }
    }

    /// As they were written before they were printed.
    mod known {
        pub const READ_MARK: &str = "SELECT answer FROM mark WHERE message = $1 LIMIT 1";
        pub const READ_ANSWER: &str = "SELECT answer FROM answer WHERE message = $1 LIMIT 1";

        /// Message, answer.
        pub const WRITE_MARK: &str = "INSERT INTO mark (message, answer) VALUES ($1, $2)";
        /// Message, answer.
        pub const STORE_ANSWER: &str = "INSERT INTO answer (message, answer) VALUES ($1, $2)";
        /// Message. Changes a row if it is new.
        pub const CLAIM: &str = "INSERT INTO claim (message) VALUES ($1) ON CONFLICT DO NOTHING";

        /// Account, token. Changes a row if no higher token has been seen.
        pub const CHECK_TOKEN: &str = "INSERT INTO fence (account, token) VALUES ($1, $2) ON CONFLICT (account)
             DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token";

        /// Amount, account, message, token, attempt, copy ([`effect`]). Gives the balance.
        pub const APPLY: &str =
            "WITH changed AS (UPDATE account SET balance = balance + $1 WHERE id = $2 RETURNING balance)
             INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
             SELECT $3, $2, $1, balance, $4, $5, $6 FROM changed RETURNING balance";

        /// Account. Gives the balance.
        pub const READ_BALANCE: &str = "SELECT balance FROM account WHERE id = $1";

        /// As [`APPLY`]; then the new balance.
        pub const OVERWRITE: &str = "WITH changed AS (UPDATE account SET balance = $7 WHERE id = $2 RETURNING balance)
             INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
             SELECT $3, $2, $1, balance, $4, $5, $6 FROM changed RETURNING balance";

        /// As [`APPLY`]. Gives nothing if a higher token has been seen.
        pub const APPLY_FENCED: &str = "WITH fenced AS (
               INSERT INTO fence (account, token) VALUES ($2, $4) ON CONFLICT (account)
               DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token RETURNING account),
             changed AS (UPDATE account SET balance = balance + $1 FROM fenced WHERE id = fenced.account RETURNING balance)
             INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
             SELECT $3, $2, $1, balance, $4, $5, $6 FROM changed RETURNING balance";

        /// As [`APPLY`]; then the lease. Gives nothing if another lease was seen first.
        pub const APPLY_UNDER_LEASE: &str = "WITH owned AS (
               INSERT INTO owner (account, lease) VALUES ($2, $7) ON CONFLICT (account)
               DO UPDATE SET lease = excluded.lease WHERE owner.lease = excluded.lease RETURNING account),
             changed AS (UPDATE account SET balance = balance + $1 FROM owned WHERE id = owned.account RETURNING balance)
             INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
             SELECT $3, $2, $1, balance, $4, $5, $6 FROM changed RETURNING balance";

        /// As [`APPLY`]. Gives nothing if the message was there already.
        pub const CLAIM_AND_APPLY: &str =
            "WITH fresh AS (INSERT INTO claim (message) VALUES ($3) ON CONFLICT DO NOTHING RETURNING message),
             changed AS (UPDATE account SET balance = balance + $1 FROM fresh WHERE id = $2 RETURNING balance),
             answered AS (INSERT INTO answer (message, answer) SELECT $3, balance FROM changed)
             INSERT INTO ledger (message, account, amount, balance, token, attempt, copy)
             SELECT $3, $2, $1, balance, $4, $5, $6 FROM changed RETURNING balance";
    }
}
