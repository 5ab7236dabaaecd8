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
    /// The same for each of two.
    AppliedBoth(TwoAnswers),
}

/// What came of two effects: the balance after each, or nothing where none was applied. Balances are those of replays and models,
/// which begin at 0, and are kept small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TwoAnswers([Option<i32>; 2]);

impl TwoAnswers {
    /// What came of the first and of the second.
    #[must_use]
    pub fn of(answers: [Option<Answer>; 2]) -> Self {
        let small = |answer: Answer| i32::try_from(answer.0).unwrap_or(i32::MAX);
        TwoAnswers(answers.map(|answer| answer.map(small)))
    }

    /// What came of two effects that were made together. They were done together or not at all.
    pub(super) fn together(outcomes: [StoreOutcome; 2]) -> StoreOutcome {
        let [first, second] = outcomes;
        match (first, second) {
            (OutcomeOf::Ok(StoreResponse::Applied(first)), OutcomeOf::Ok(StoreResponse::Applied(second))) => {
                OutcomeOf::Ok(StoreResponse::AppliedBoth(TwoAnswers::of([first, second])))
            }
            (OutcomeOf::Ok(_), other) | (other, _) => other,
        }
    }

    /// The answers to the first and to the second.
    #[must_use]
    pub fn answers(self) -> [Option<Answer>; 2] {
        self.0.map(|answer| answer.map(|balance| Answer(balance.into())))
    }
}

const _: () = assert!(size_of::<StoreResponse>() == 24);

impl Returned for StoreResponse {
    type Op = StoreOp;

    fn parse(text: &str, kind: &str) -> Option<Self> {
        let answer = |text: &str| text.parse().ok().map(Answer).map(Some);
        if let Some((first, second)) = text.split_once(", ") {
            let applied = |text| match Self::parse(text, "claim-and-apply")? {
                StoreResponse::Applied(answer) => Some(answer),
                _ => None,
            };
            return Some(StoreResponse::AppliedBoth(TwoAnswers::of([applied(first)?, applied(second)?])));
        }
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
                Does::Rows(_) | Does::Both | Does::Own | Does::Begin | Does::Commit | Does::Rollback => {
                    format!("there: {}", found.0)
                }
            },
            StoreResponse::Claimed(true) => "fresh".to_owned(),
            StoreResponse::Claimed(false) | StoreResponse::Applied(None) => "taken".to_owned(),
            StoreResponse::Applied(Some(balance)) => format!("balance {}", balance.0),
            StoreResponse::AppliedBoth(_) => self.parts().map(|part| part.in_words(to)).join(", "),
        }
    }

    fn changes_nothing(self) -> bool {
        match self {
            StoreResponse::Claimed(fresh) => !fresh,
            StoreResponse::Applied(balance) => balance.is_none(),
            StoreResponse::AppliedBoth(_) => self.parts().iter().all(|part| part.changes_nothing()),
            StoreResponse::Done | StoreResponse::Found(_) => false,
        }
    }

    fn is_like(self, other: Self) -> bool {
        use StoreResponse::{Applied, AppliedBoth, Claimed, Done, Found};
        match (self, other) {
            (Found(one), Found(other)) | (Applied(one), Applied(other)) => one.is_some() == other.is_some(),
            (Claimed(one), Claimed(other)) => one == other,
            (Done, Done) => true,
            (AppliedBoth(_), AppliedBoth(_)) => {
                self.parts().into_iter().zip(other.parts()).all(|(one, other)| one.is_like(other))
            }
            (Done | Found(_) | Claimed(_) | Applied(_) | AppliedBoth(_), _) => false,
        }
    }

    fn parts(self) -> [Self; 2] {
        match self {
            StoreResponse::AppliedBoth(both) => both.answers().map(StoreResponse::Applied),
            StoreResponse::Done | StoreResponse::Found(_) | StoreResponse::Claimed(_) | StoreResponse::Applied(_) => {
                [self, self]
            }
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
            StoreResponse::AppliedBoth(_) => {
                let [first, second] = self.parts();
                write!(f, "{first}, {second}")
            }
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
    TwoAnswers: StoreResponse::AppliedBoth(both) => Ok(both);
    Option<Answer>: StoreResponse::Found(answer) | StoreResponse::Applied(answer) => Ok(answer);
    Answer:
        StoreResponse::Found(Some(answer)) | StoreResponse::Applied(Some(answer)) => Ok(answer),
        StoreResponse::Found(None) | StoreResponse::Applied(None) => Err(Trouble::Failed(Failure::NoAccount));
}
