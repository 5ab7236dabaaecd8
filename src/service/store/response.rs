//! What a store answers.

use std::fmt;

use super::op::{Does, StoreOp};
use super::program::Gives;
use crate::service::contract::{Given, Returned, another};
use crate::service::{HasIds, Ids};
use crate::terms::{Answer, Failure, OutcomeOf, Trouble};

/// What an operation of a store comes to.
pub type StoreOutcome = OutcomeOf<StoreResponse>;

/// What came back from an operation of a store that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreResponse {
    /// It was done; there is nothing to tell.
    Done,
    /// The answer, the balance or the first value found, if any.
    Found(Option<Answer>),
    /// Whether the message id is new.
    Claimed(bool),
    /// The balance after an effect; nothing if none was applied.
    Applied(Option<Answer>),
}

impl Returned for StoreResponse {
    type Op = StoreOp;

    fn parse(text: &str, kind: &str) -> Option<Self> {
        let answer = |text: &str| text.parse().ok().map(Answer).map(Some);
        Some(match text.split_once(' ') {
            None => match (text, kind) {
                ("done", _) => StoreResponse::Done,
                ("nothing", _) => StoreResponse::Found(None),
                ("fresh", _) => StoreResponse::Claimed(true),
                ("taken", "claim") => StoreResponse::Claimed(false),
                ("taken", _) => StoreResponse::Applied(None),
                _ => return None,
            },
            Some(("found", text)) => StoreResponse::Found(answer(text)?),
            Some(("applied", text)) => StoreResponse::Applied(answer(text)?),
            Some(_) => return None,
        })
    }

    fn in_words(self, to: StoreOp) -> String {
        match self {
            StoreResponse::Done => "done".to_owned(),
            StoreResponse::Found(None) => "nothing there".to_owned(),
            StoreResponse::Found(Some(found)) => match to.does() {
                Does::Rows(program) if program.gives == Gives::Balance => found.0.to_string(),
                Does::Rows(_) | Does::Own | Does::Begin | Does::Commit | Does::Rollback => {
                    format!("there: {}", found.0)
                }
            },
            StoreResponse::Claimed(true) => "fresh".to_owned(),
            StoreResponse::Claimed(false) | StoreResponse::Applied(None) => "taken".to_owned(),
            StoreResponse::Applied(Some(balance)) => format!("balance {}", balance.0),
        }
    }

    fn changes_nothing(self) -> bool {
        match self {
            StoreResponse::Claimed(fresh) => !fresh,
            StoreResponse::Applied(balance) => balance.is_none(),
            StoreResponse::Done | StoreResponse::Found(_) => false,
        }
    }

    fn is_like(self, other: Self) -> bool {
        use StoreResponse::{Applied, Claimed, Done, Found};
        match (self, other) {
            (Found(one), Found(other)) | (Applied(one), Applied(other)) => one.is_some() == other.is_some(),
            (Claimed(one), Claimed(other)) => one == other,
            (Done, Done) => true,
            (Done | Found(_) | Claimed(_) | Applied(_), _) => false,
        }
    }
}

impl fmt::Display for StoreResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreResponse::Done => f.write_str("done"),
            StoreResponse::Found(Some(answer)) => write!(f, "found {}", answer.0),
            StoreResponse::Found(None) => f.write_str("nothing"),
            StoreResponse::Claimed(true) => f.write_str("fresh"),
            StoreResponse::Claimed(false) | StoreResponse::Applied(None) => f.write_str("taken"),
            StoreResponse::Applied(Some(answer)) => write!(f, "applied {}", answer.0),
        }
    }
}

impl HasIds for StoreResponse {
    #[inline]
    fn has_ids(&self) -> bool {
        false
    }

    #[inline]
    fn map_ids(self, _: &mut impl Ids) -> Self {
        self
    }
}

macro_rules! given {
    ($($type:ty: $($response:pat => $value:expr),+;)*) => {$(
        impl Given<StoreResponse> for $type {
            #[inline]
            fn of(response: &StoreResponse) -> Result<Self, Trouble> {
                match *response {
                    $($response => $value,)+
                    other => another(other),
                }
            }
        }
    )*};
}
given! {
    (): StoreResponse::Done => Ok(());
    bool: StoreResponse::Claimed(fresh) => Ok(fresh);
    Option<Answer>: StoreResponse::Found(answer) | StoreResponse::Applied(answer) => Ok(answer);
    Answer:
        StoreResponse::Found(Some(answer)) | StoreResponse::Applied(Some(answer)) => Ok(answer),
        StoreResponse::Found(None) | StoreResponse::Applied(None) => Err(Trouble::Failed(Failure::NoAccount));
}
