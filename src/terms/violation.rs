//! The ways in which a guarantee can be broken, and the causes that the history can show.

use super::FaultKind;

/// Makes the kinds of violations out of their list. A row says: the name in experiments, files and tables; whether it lasts; what it is,
/// for somebody who meets the name; and what it means that a schedule shows it.
macro_rules! violations {
    ($($(#[$doc:meta])* $kind:ident $name:literal $lasts:literal $is:literal $in_schedule:literal;)*) => {
        /// A broken guarantee, counted per message id.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Violation { $($(#[$doc])* $kind),* }

        impl Violation {
            /// Every kind, in the order of the declaration and of every report.
            pub const ALL: [Violation; [$($name),*].len()] = [$(Violation::$kind),*];

            /// The name of this kind in experiments, files and tables.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Violation::$kind => $name),* }
            }

            /// Whether it stays once it is there, whatever comes. What does not is judged when everything has settled: an effect may
            /// still come, and so may the entry that an answer is of.
            #[must_use]
            pub fn lasts(self) -> bool {
                match self { $(Violation::$kind => $lasts),* }
            }

            /// What it is, for somebody who meets its name.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Violation::$kind => $is),* }
            }

            /// What it means that a schedule shows it, in a few words.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Violation::$kind => $in_schedule),* }
            }
        }
    };
}

violations! {
    /// The ledger holds the effect more than once.
    Duplicate "duplicate" true
        "the effect is in the ledger more than once"
        "X is in the ledger twice";
    /// What was done is not what was asked for: another account or amount, balances that do not chain, or an answer that no
    /// entry of the message gave.
    Wrong "wrong" false
        "what was done or answered is not what was asked"
        "what was done or answered is not what was asked for";
    /// The client was told that it is refused for good, and the ledger holds the effect.
    Denied "denied" true
        "the client was told \"refused for good\", but the effect is there"
        "the client was told that it is refused for good, and X is in the ledger";
    /// A valid request was refused for good, and its effect is absent.
    Refused "refused" false
        "a valid request was refused for good, and the effect is absent"
        "a valid request is refused for good, and X is not in the ledger";
    /// The client was told success and the ledger does not hold the effect, or a fault-free retry after everything has
    /// settled still cannot get it applied.
    Lost "lost" false
        "the client was told success, or a last retry failed; no effect"
        "told success, or retried without faults, and X is not in the ledger";
    /// The client gave up, and the effect is absent. Allowed only for strategies that claim at-most-once.
    Abandoned "abandoned" false
        "the client gave up, and the effect is absent"
        "the client has given up, and X was never applied";
    /// The effect was applied after the client had given up for good.
    Late "late" true
        "the client gave up for good, and the effect came afterwards"
        "X is applied after the client has given up for good";
    /// Two answers to the same message id differ.
    Deviating "deviating" true
        "two answers to one request differ"
        "two answers to the same request differ";
    /// The message id came with another body too, and both were done, or one was answered as if it had been done.
    Mixed "mixed" true
        "one id came with two bodies: both were done, or one taken for the other"
        "the id came with another body, which was taken for the first or done as well";
    /// A marker or claim stays unfinished, so that a fault-free retry is told to wait, for good.
    Stuck "stuck" false
        "a last retry is told \"in progress\", but nobody works on the request"
        "a fault-free retry is told \"in progress\", and nobody works on the request";
    /// Two handlers inside the critical section at once.
    Overlap "overlap" true
        "two handlers were inside the same lock at once"
        "two are inside the critical section";
    /// An effect accepted under a fencing token lower than one already used.
    Stale "stale" true
        "an older fencing token was accepted after a newer one"
        "X is accepted under an older token than the last";
    /// A late duplicate undid a newer request's state.
    Reverted "reverted" true
        "a late duplicate undid the change of a newer request"
        "an older request undoes a newer one";
}

impl Violation {
    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Violation> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The only fault that it can come of, if there is one such.
    #[must_use]
    pub fn comes_of(self) -> Option<FaultKind> {
        (self == Violation::Mixed).then_some(FaultKind::OtherBody)
    }

    /// Whether it is found at a store, by the store's ledger; the others are about the message as a whole.
    #[must_use]
    pub fn is_at_a_store(self) -> bool {
        match self {
            Violation::Duplicate
            | Violation::Wrong
            | Violation::Denied
            | Violation::Refused
            | Violation::Lost
            | Violation::Abandoned
            | Violation::Late
            | Violation::Stale
            | Violation::Reverted => true,
            Violation::Deviating | Violation::Mixed | Violation::Stuck | Violation::Overlap => false,
        }
    }

    /// Every kind but these, which are so many as are missing: for a claim that speaks of every kind.
    ///
    /// # Panics
    /// If they are more or fewer.
    #[must_use]
    pub const fn all_but<const N: usize>(left_out: &[Violation]) -> [Violation; N] {
        assert!(N + left_out.len() == Violation::ALL.len());
        let (mut all, mut at, mut n) = ([Violation::ALL[0]; N], 0, 0);
        while n < Violation::ALL.len() {
            let (mut is_left_out, mut other) = (false, 0);
            while other < left_out.len() {
                is_left_out |= left_out[other] as u8 == Violation::ALL[n] as u8;
                other += 1;
            }
            if !is_left_out {
                all[at] = Violation::ALL[n];
                at += 1;
            }
            n += 1;
        }
        all
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What the history shows to have led to a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Two deliveries of the request were at work at once, and neither saw the other.
    CheckThenActRace,
    /// An operation or an answer was lost after the effect, and the retry did it again.
    RetryAfterLostReply,
    /// The client or something on the way repeated a request that had been done and answered.
    Redelivery,
    /// A handler went on after its lease had ended.
    ZombiePastLease,
    /// A release that was meant for an older lock removed a newer one.
    StaleUnlock,
    /// A waiter whose lease had run out in the queue was told that it holds the lock.
    DeadWaiter,
    /// Another update, which had read the state before this one, was written over it.
    LostUpdate,
    /// A handler crashed or was cancelled after the effect and before it was remembered.
    CrashBetweenStores,
    /// The message id had been forgotten.
    WindowExpired,
    /// The server had lost what it kept, and with it the lock that somebody held.
    ServerForgot,
    /// A request that had timed out landed later.
    LateLanding,
    /// A message was lost, and nobody sent it again.
    NeverRetried,
    /// A proxy or a driver on the way repeated a request that its client sent once.
    RepeatedOnTheWay,
    /// One delivery applied the effect twice.
    AppliedTwice,
    /// The account or the amount is not the request's.
    OtherEffect,
    /// No client ever sent a request with this id.
    NeverAskedFor,
    /// A balance was changed beside the ledger, or the ledger beside the balance.
    BrokenChain,
    /// No effect of the message gave the answer.
    OtherAnswer,
    /// The strategy took an operation whose outcome nobody knows for one that had failed.
    UnknownTakenForFailure,
    /// A fault had passed, and the strategy still refuses because of it.
    FaultRemembered,
    /// A newer request of the same client had been done before.
    OutOfOrder,
    /// The request names a version that was not the one that was there.
    Precondition,
    /// A body was answered as if it were the one that had been done.
    OtherBodyAnswered,
    /// Both bodies were done.
    BothBodiesDone,
    /// The history shows none of these.
    Unexplained,
}

impl Cause {
    /// Every cause, in the order of the declaration.
    pub const ALL: [Cause; 25] = [
        Cause::CheckThenActRace,
        Cause::RetryAfterLostReply,
        Cause::Redelivery,
        Cause::ZombiePastLease,
        Cause::StaleUnlock,
        Cause::DeadWaiter,
        Cause::LostUpdate,
        Cause::CrashBetweenStores,
        Cause::WindowExpired,
        Cause::ServerForgot,
        Cause::LateLanding,
        Cause::NeverRetried,
        Cause::RepeatedOnTheWay,
        Cause::AppliedTwice,
        Cause::OtherEffect,
        Cause::NeverAskedFor,
        Cause::BrokenChain,
        Cause::OtherAnswer,
        Cause::UnknownTakenForFailure,
        Cause::FaultRemembered,
        Cause::OutOfOrder,
        Cause::Precondition,
        Cause::OtherBodyAnswered,
        Cause::BothBodiesDone,
        Cause::Unexplained,
    ];

    /// The words for this cause in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cause::CheckThenActRace => "check-then-act race",
            Cause::RetryAfterLostReply => "retry after a lost reply",
            Cause::Redelivery => "redelivery",
            Cause::ZombiePastLease => "zombie past its lease",
            Cause::StaleUnlock => "stale unlock",
            Cause::DeadWaiter => "granted to a dead waiter",
            Cause::LostUpdate => "overwritten by an overlapping update",
            Cause::CrashBetweenStores => "crash between two steps",
            Cause::WindowExpired => "window expired",
            Cause::ServerForgot => "the server had forgotten",
            Cause::LateLanding => "late landing",
            Cause::NeverRetried => "never retried",
            Cause::RepeatedOnTheWay => "repeated on the way",
            Cause::AppliedTwice => "applied twice by one delivery",
            Cause::OtherEffect => "another effect than the request's",
            Cause::NeverAskedFor => "never asked for",
            Cause::BrokenChain => "balance and ledger disagree",
            Cause::OtherAnswer => "an answer that no effect gave",
            Cause::UnknownTakenForFailure => "an unknown outcome taken for a failure",
            Cause::FaultRemembered => "a fault that had passed is remembered",
            Cause::OutOfOrder => "out of order",
            Cause::Precondition => "a precondition that did not hold",
            Cause::OtherBodyAnswered => "one body taken for the other",
            Cause::BothBodiesDone => "both bodies done",
            Cause::Unexplained => "unexplained",
        }
    }

    /// The cause with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Cause> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Violation};

    #[test]
    fn every_violation_and_every_cause_is_found_by_its_own_name() {
        for violation in Violation::ALL {
            assert_eq!(Violation::from_name(violation.name()), Some(violation));
            assert_eq!(format!("{violation:>12}|"), format!("{:>12}|", violation.name()));
        }
        for cause in Cause::ALL {
            assert_eq!(Cause::from_name(cause.name()), Some(cause));
            assert_eq!(format!("{cause:>40}|"), format!("{:>40}|", cause.name()));
        }
        assert_eq!((Violation::from_name("none"), Cause::from_name("none")), (None, None));
    }

    #[test]
    fn all_but_some_are_the_others() {
        const OTHERS: [Violation; Violation::ALL.len() - 2] = Violation::all_but(&[Violation::Wrong, Violation::Late]);
        let others = Violation::ALL.into_iter().filter(|kind| ![Violation::Wrong, Violation::Late].contains(kind));
        assert_eq!(others.collect::<Vec<_>>(), OTHERS);
    }

    #[test]
    fn what_an_effect_that_still_comes_can_mend_does_not_last() {
        let mended: Vec<Violation> = Violation::ALL.into_iter().filter(|violation| !violation.lasts()).collect();
        let expected = [Violation::Wrong, Violation::Refused, Violation::Lost, Violation::Abandoned, Violation::Stuck];
        assert_eq!(mended, expected);
    }
}
