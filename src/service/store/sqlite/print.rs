//! Prints statements for SQLite: several in one call, of which each applies only if the one before it changed something.

use crate::service::store::program::{Act, Columns, OnConflict, Parameter, Program, Table};

/// The statements' text, and their parameters in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printed {
    pub text: String,
    pub parameters: Vec<Parameter>,
}

/// Prints a program. Where tokens are not compared, which is a mistake on purpose, any of them is accepted.
pub(super) fn printed(program: &Program, compares_tokens: bool) -> Printed {
    let (mut texts, mut parameters) = (Vec::new(), Vec::new());
    for (n, act) in program.acts.iter().enumerate() {
        let goes_on = n > 0;
        let is_last = n + 1 == program.acts.len();
        let (text, told) = one(*act, goes_on, is_last, compares_tokens);
        texts.push(text);
        parameters.extend(told);
    }
    Printed { text: texts.join("; "), parameters }
}

fn one(act: Act, goes_on: bool, is_last: bool, compares_tokens: bool) -> (String, Vec<Parameter>) {
    let condition = if goes_on { " AND changes() > 0" } else { "" };
    match act {
        Act::Read(table) => {
            let Columns { table, key, key_is, value, has_several, .. } = table.columns();
            let limit = if has_several { " LIMIT 1" } else { "" };
            (format!("SELECT {} FROM {table} WHERE {key} = ?{limit}", value.unwrap_or(key)), vec![key_is])
        }
        Act::Insert(table, conflict) => {
            let is_blind = !compares_tokens && table == Table::Fence;
            let Columns { table, key, key_is, value, .. } = table.columns();
            let (columns, values, told) = match value {
                Some(value) => (format!("{key}, {value}"), "?, ?", vec![key_is, Parameter::Value]),
                None => (key.to_owned(), "?", vec![key_is]),
            };
            let on_conflict = match (conflict.compares(), value) {
                (Some(compares), Some(value)) => {
                    let set = format!(" ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}");
                    if is_blind { set } else { format!("{set} WHERE {table}.{value} {compares} excluded.{value}") }
                }
                _ if conflict == OnConflict::Another => String::new(),
                _ => " ON CONFLICT DO NOTHING".to_owned(),
            };
            let tells = is_last && conflict != OnConflict::Another;
            let returning = if tells { format!(" RETURNING {}", value.unwrap_or(key)) } else { String::new() };
            (format!("INSERT INTO {table} ({columns}) VALUES ({values}){on_conflict}{returning}"), told)
        }
        Act::AddAmount => (
            format!("UPDATE account SET balance = balance + ? WHERE id = ?{condition}"),
            vec![Parameter::Amount, Parameter::Account],
        ),
        Act::SetBalance => (
            format!("UPDATE account SET balance = ? WHERE id = ?{condition}"),
            vec![Parameter::Value, Parameter::Account],
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

#[cfg(test)]
mod tests {
    use super::super::statements as known;
    use super::*;
    use crate::service::store::program::PROGRAMS;

    #[test]
    fn every_statement_is_printed_as_it_was_written_by_hand() {
        let by_hand = [
            known::READ_MARK,
            known::READ_ANSWER,
            known::READ_BALANCE,
            known::MARK.inside,
            known::ANSWER.inside,
            known::CLAIM.inside,
            known::FENCE.inside,
            known::APPLY.inside,
            known::APPLY_FENCED.inside,
            known::APPLY_UNDER_LEASE.inside,
            known::CLAIM_AND_APPLY.inside,
            known::OVERWRITE.inside,
        ];
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (program, text) in PROGRAMS.iter().zip(by_hand) {
            assert_eq!(printed(program, true).text, flat(text));
        }
        assert_eq!(printed(&PROGRAMS[6], false).text, flat(known::FENCE_BLINDLY.inside));
        assert_eq!(printed(&PROGRAMS[8], false).text, flat(known::APPLY_FENCED_BLINDLY.inside));
    }
}
