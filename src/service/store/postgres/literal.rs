//! The SQL of the lab with its parameters written in, for those who carry it out without the lab.

use super::batch::CLAIM_AND_APPLY_ALL;
use super::statements::{self, Argument};
use crate::service::contract::Operation;
use crate::service::store::inlined::{bracketed, with_values};
use crate::service::store::program::LONG_US;
use crate::service::store::{Does, StoreOp};
use crate::terms::Delivery;

/// What reads the ledger from beginning to end.
pub(crate) const LEDGER: &str = statements::LEDGER;
/// What ends a transaction in vain: what a server does when its client has gone.
pub(crate) const ROLLBACK: &str = statements::ROLLBACK;
/// What removes the tables again.
pub(crate) fn drop_tables() -> String {
    statements::drop_tables()
}

/// Makes the tables and opens accounts 0 to `accounts`, each with a balance of 0.
pub(crate) fn setup(accounts: u32) -> Vec<String> {
    let fill = with_values(statements::FILL, &[accounts.to_string()]);
    statements::tables().into_iter().chain([fill]).collect()
}

/// What a connection to PostgreSQL sends for an operation of a store.
pub(crate) fn sql(op: StoreOp, by: Delivery) -> String {
    match op.does() {
        Does::Begin => statements::begin(op.level()).to_owned(),
        Does::Commit => statements::COMMIT.to_owned(),
        Does::Rollback => statements::ROLLBACK.to_owned(),
        Does::Both => {
            let parts = op.parts().expect("it has two parts");
            let list = |value: &dyn Fn(&StoreOp) -> i64| {
                format!("ARRAY[{}]", parts.each_ref().map(value).map(bracketed).join(", "))
            };
            let values = [
                list(&|op| op.message().0.into()),
                list(&|op| op.effect().account.0.into()),
                list(&|op| op.effect().amount.into()),
                list(&|_| by.attempt.into()),
                list(&|_| by.copy.into()),
            ];
            with_values(CLAIM_AND_APPLY_ALL, &values)
        }
        Does::Own | Does::Rows(_) => {
            let (text, parameters) = statements::statement(op, by, LONG_US);
            // The lab's own statements give each parameter a place that says its type. A strategy's own need not.
            let is_typed = *op.does() == Does::Own;
            let values: Vec<String> = parameters.into_iter().map(|parameter| literal(parameter, is_typed)).collect();
            with_values(text, &values)
        }
    }
}

fn literal(parameter: Argument, is_typed: bool) -> String {
    let (value, of_type) = match parameter {
        Argument::Bigint(None) => ("NULL".to_owned(), "bigint"),
        Argument::Bigint(Some(value)) => (bracketed(value), "bigint"),
        Argument::Int(value) => (bracketed(value.into()), "int"),
        Argument::Smallint(value) => (bracketed(value.into()), "smallint"),
    };
    if is_typed { format!("{value}::{of_type}") } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Sql;
    use crate::terms::{AccountId, Answer, ClientId, Effect, Isolation, MessageId, Request};

    const REQUEST: Request = Request {
        id: MessageId(7),
        client: ClientId(0),
        sequence: 0,
        effect: Effect { account: AccountId(3), amount: -5 },
    };

    #[test]
    fn every_operation_of_a_store_is_the_text_of_its_statement_without_parameters() {
        let by = Delivery { attempt: 1, copy: 2 };
        let apply = sql(StoreOp::apply(&REQUEST), by);
        assert!(apply.contains("balance = balance + (-5) WHERE id = 3"), "{apply}");
        assert!(apply.contains("SELECT 7, 3, (-5), balance, NULL, 1, 2 FROM changed"), "{apply}");
        let overwrite = sql(StoreOp::overwrite(&REQUEST, Answer(20)), by);
        assert!(overwrite.contains("SET balance = 15 WHERE id = 3"), "{overwrite}");
        assert_eq!(
            sql(StoreOp::claim(MessageId(7)), by),
            "INSERT INTO claim (message) VALUES (7) ON CONFLICT DO NOTHING"
        );
        assert_eq!(sql(StoreOp::begin(Isolation::Serializable), by), "BEGIN ISOLATION LEVEL SERIALIZABLE");
        for op in
            [StoreOp::read_mark(MessageId(7)), StoreOp::claim_and_apply(&REQUEST), StoreOp::read_balance(AccountId(3))]
        {
            assert!(!sql(op, by).contains('$'), "{}", sql(op, by));
        }
        assert!(setup(2).iter().all(|statement| !statement.contains('$')));
    }

    #[test]
    fn values_of_a_statement_of_its_own_keep_the_type_that_a_strategy_binds_them_with() {
        let statement = |text| sql(StoreOp::sql(Sql::new(text, &REQUEST, -1)), Delivery::FIRST);
        assert_eq!(statement("SELECT $4::text, $2 + $1"), "SELECT (-1)::bigint::text, 3::bigint + 7::bigint");
    }
}
