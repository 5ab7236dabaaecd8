//! What each operation comes to on SQLite: statements, their values, and what the first row says.

use std::sync::LazyLock;

use super::print::{PrintedStatements, printed};
use crate::service::store::program::{Act, Gives, Parameter};
use crate::service::store::{Does, StoreOp, StoreResponse};
use crate::terms::{Delivery, OutcomeOf};

/// What an operation is carried out as.
pub(super) struct StatementPlan {
    pub how: RunsAs,
    /// In the order in which they stand in the statements.
    pub values: Vec<Option<i64>>,
    gives: Gives,
}

/// The statements of an operation.
#[derive(Clone, Copy)]
pub(super) enum RunsAs {
    Read(&'static str),
    /// Inside an open transaction, and as a transaction of their own.
    Write {
        inside: &'static str,
        alone: &'static str,
    },
    /// A statement of the strategy's own, with parameters that have numbers.
    Own(&'static str),
}

/// The statements of a program.
struct Texts {
    inside: String,
    alone: String,
    parameters: Vec<Parameter>,
}

/// By the number of the statement; none for what is no program.
fn texts(compares_tokens: bool) -> Vec<Option<Texts>> {
    let text = |does: Does| {
        let Does::Rows(program) = does else { return None };
        let PrintedStatements { text, parameters } = printed(&program, compares_tokens);
        Some(Texts { alone: format!("BEGIN IMMEDIATE; {text}; COMMIT"), inside: text, parameters })
    };
    StoreOp::programs().map(text).collect()
}

static TEXTS: LazyLock<Vec<Option<Texts>>> = LazyLock::new(|| texts(true));

/// Where the store has the mistake of not comparing tokens.
static BLIND: LazyLock<Vec<Option<Texts>>> = LazyLock::new(|| texts(false));

impl StatementPlan {
    /// The plan for an operation on rows, where rows are taken for so long. `compares_tokens` is false where the store has the mistake of not doing so.
    ///
    /// # Panics
    /// If the operation begins or ends a transaction, which is no statement on rows.
    pub(super) fn new(op: StoreOp, by: Delivery, compares_tokens: bool, ttl_us: i64) -> Self {
        if *op.does() == Does::Own {
            let sql = op.own();
            let values = sql.values().into_iter().map(Some).collect();
            return StatementPlan { how: RunsAs::Own(sql.text()), values, gives: Gives::Found };
        }
        let texts = if compares_tokens { &TEXTS } else { &BLIND };
        let (Does::Rows(program), Some(Texts { inside, alone, parameters })) = (op.does(), &texts[op.place()]) else {
            panic!("`{op}` is no statement on rows of a store")
        };
        let how = match program.acts {
            [Act::Read(_)] => RunsAs::Read(inside),
            _ => RunsAs::Write { inside, alone },
        };
        let values = parameters.iter().map(|parameter| op.value_of(*parameter, by, ttl_us)).collect();
        StatementPlan { how, values, gives: program.gives }
    }

    /// The outcome, by the first column of the first row that came back.
    pub(super) fn outcome(&self, row: Option<Option<i64>>) -> OutcomeOf<StoreResponse> {
        self.gives.outcome(row)
    }
}
