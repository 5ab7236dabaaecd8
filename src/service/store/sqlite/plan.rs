//! What each operation comes to on SQLite: statements, their values, and what the first row says.

use std::sync::LazyLock;

use super::print::{PrintedStatements, printed};
use crate::service::store::program::{About, Act, Gives, PROGRAMS, Parameter, place};
use crate::service::{Op, Outcome};
use crate::terms::Delivery;

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

fn texts(compares_tokens: bool) -> Vec<Texts> {
    let text = |program| {
        let PrintedStatements { text, parameters } = printed(program, compares_tokens);
        Texts { alone: format!("BEGIN IMMEDIATE; {text}; COMMIT"), inside: text, parameters }
    };
    PROGRAMS.iter().map(text).collect()
}

static TEXTS: LazyLock<Vec<Texts>> = LazyLock::new(|| texts(true));

/// Where the store has the mistake of not comparing tokens.
static BLIND: LazyLock<Vec<Texts>> = LazyLock::new(|| texts(false));

impl StatementPlan {
    /// The plan for an operation on rows. `compares_tokens` is false where the store has the mistake of not doing so.
    ///
    /// # Panics
    /// If the operation begins or ends a transaction, or belongs to the lock service.
    pub(super) fn new(op: Op, by: Delivery, compares_tokens: bool) -> Self {
        if let Some(sql) = op.own_sql() {
            let values = sql.values().into_iter().map(Some).collect();
            return StatementPlan { how: RunsAs::Own(sql.text()), values, gives: Gives::Found };
        }
        let place = place(op).unwrap_or_else(|| panic!("`{op}` is no statement on rows of a store"));
        let Texts { inside, alone, parameters } = if compares_tokens { &TEXTS[place] } else { &BLIND[place] };
        let about = About::of(op);
        let how = match PROGRAMS[place].acts {
            [Act::Read(_)] => RunsAs::Read(inside),
            _ => RunsAs::Write { inside, alone },
        };
        let values = parameters.iter().map(|parameter| about.value_of(*parameter, by)).collect();
        StatementPlan { how, values, gives: PROGRAMS[place].gives }
    }

    /// The outcome, by the first column of the first row that came back.
    pub(super) fn outcome(&self, row: Option<Option<i64>>) -> Outcome {
        self.gives.outcome(row)
    }
}
