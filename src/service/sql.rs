//! Statements of a strategy's own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::terms::{ClientId, Request};

/// A statement of a strategy's own, with what it is about. It knows the tables of the lab, and SQL that every store of its claim
/// understands.
///
/// `$1` is the message id, `$2` the account and `$3` the amount of the request, `$4` a value of the strategy's choice. The text is
/// kept once and named by a number, so that an operation stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sql {
    pub request: Request,
    pub value: i64,
    number: u16,
}

/// The texts that were given numbers.
static TEXTS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

fn texts() -> MutexGuard<'static, Vec<&'static str>> {
    TEXTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sql {
    /// A statement.
    ///
    /// # Panics
    /// If there are more than 65,536 different texts.
    #[must_use]
    pub fn new(text: &'static str, request: &Request, value: i64) -> Self {
        let mut texts = texts();
        let number = texts.iter().position(|known| *known == text).unwrap_or_else(|| {
            texts.push(text);
            texts.len() - 1
        });
        let number = u16::try_from(number).expect("strategies have fewer than 65,536 statements");
        Sql::numbered(number, request, value)
    }

    /// The statement with this number. Who sent the request is not in it.
    pub(super) fn numbered(number: u16, request: &Request, value: i64) -> Self {
        Sql { request: Request { client: ClientId(0), sequence: 0, ..*request }, value, number }
    }

    /// The number of its text.
    pub(super) fn number(self) -> u16 {
        self.number
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &'static str {
        texts()[usize::from(self.number)]
    }

    /// The values of `$1` to `$4`, as far as the text names them.
    #[must_use]
    pub fn values(&self) -> Vec<i64> {
        let all = [
            self.request.id.0.into(),
            self.request.effect.account.0.into(),
            self.request.effect.amount.into(),
            self.value,
        ];
        let named = (1..=all.len()).rev().find(|n| self.text().contains(&format!("${n}"))).unwrap_or(0);
        all[..named].to_vec()
    }
}

/// A text that was read from a file, as one that lasts as long as the process: each different one is kept once.
pub(crate) fn lasting(text: &str) -> &'static str {
    let known = texts().iter().find(|known| **known == text).copied();
    known.unwrap_or_else(|| Box::leak(text.to_owned().into_boxed_str()))
}
