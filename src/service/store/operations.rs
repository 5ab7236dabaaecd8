//! What can be asked of a store. To add an operation of known acts is to add a row here.
//!
//! A row says: the number, name and acts of its kind; what it is called in a story (`#` stands for the message, `$` for the value);
//! the name of the method with what it takes and gives; and what it does to which rows, one act after the other.

/// Hands the list of operations to a macro.
macro_rules! for_each_operation {
    ($callback:ident) => {
        $callback! {
            /// Begins a transaction: the operations that follow belong to it until it is committed or rolled back.
            0 "begin" [BEGINS] "begin"
            Begin begin(isolation: Isolation) -> () = Does::Begin;

            /// Commits the open transaction.
            1 "commit" [COMMITS] "commit"
            Commit commit() -> () = Does::Commit;

            /// Undoes the open transaction.
            2 "rollback" [UNDOES] "roll back"
            Rollback rollback() -> () = Does::Rollback;

            /// `[read K]`: the answer in the mark of this message, if there is a mark.
            3 "read-mark" [READS, LOOKS] "read K#"
            ReadMark read_mark(id: MessageId) -> Option<Answer> = rows(&[Read(Mark)], Gives::Found);

            /// `[write K]`: marks this message as seen, with its answer. No constraint prevents a second mark.
            4 "write-mark" [MARKS] "write K#"
            WriteMark write_mark(id: MessageId, answer: Answer) -> () = rows(&[Insert(Mark, Another)], Gives::Done);

            /// Inserts the message id under a unique constraint, and on conflict does nothing; true if it was not there.
            5 "claim" [] "claim K#"
            Claim claim(id: MessageId) -> bool = rows(&[Insert(Claim, Nothing)], Gives::Claimed);

            /// Stores the answer `R` beside a claim.
            6 "store-answer" [MARKS] "store R#"
            StoreAnswer store_answer(id: MessageId, answer: Answer) -> () = rows(&[Insert(StoredAnswer, Another)], Gives::Done);

            /// The answer stored beside a claim, if there is one.
            7 "read-answer" [READS, LOOKS] "read R#"
            ReadAnswer read_answer(id: MessageId) -> Option<Answer> = rows(&[Read(StoredAnswer)], Gives::Found);

            /// `[X]`: adds the amount to the account and appends to the ledger, both or neither. Gives the balance after it.
            8 "apply" [APPLIES] "apply X#"
            Apply apply(request: &Request) -> Answer = rows(&[AddAmount, Append], Gives::Applied);

            /// `[X]` with a fencing token: the store refuses with [`Failure::StaleToken`] if it has seen a higher one for the account.
            8 "apply" [APPLIES] "apply X# with token $"
            ApplyFenced apply_fenced(request: &Request, token: Token) -> Answer
            = rows(&[Insert(Fence, KeepHigher), AddAmount, Append], Gives::AppliedOr(Failure::StaleToken));

            /// `[X]` under a lease: the store remembers the first lease that it sees for an account, and refuses every other one with
            /// [`Failure::OtherLease`].
            18 "apply-under-lease" [APPLIES] "apply X# under $"
            ApplyUnderLease apply_under_lease(request: &Request, lease: LeaseId) -> Answer
            = rows(&[Insert(Owner, KeepFirst), AddAmount, Append], Gives::AppliedOr(Failure::OtherLease));

            /// Claim, effect and stored answer in one statement; nothing if the message id was there already.
            9 "claim-and-apply" [APPLIES] "claim K# and apply X#"
            ClaimAndApply claim_and_apply(request: &Request) -> Option<Answer>
            = rows(&[Insert(Claim, Nothing), AddAmount, Append, InsertBalance(StoredAnswer)], Gives::Applied);

            /// A statement of the strategy's own, inside the open transaction or else as one of its own: the first column of the
            /// first row that it gives, if it gives any. No model knows what it does: `explore` rejects a strategy that uses it.
            10 "sql" [UNKNOWN, APPLIES, LOOKS, MARKS] "$"
            Sql sql(statement: Sql) -> Option<Answer> = Does::Own;

            /// `[read B]`: the balance of an account.
            11 "read-balance" [READS] "read the balance"
            ReadBalance read_balance(account: AccountId) -> Answer = rows(&[Read(Account)], Gives::Balance);

            /// `[write B]`: sets the account's balance to `base` plus the request's amount, whatever it is by now, and appends to
            /// the ledger, both or neither. An effect that was applied since the balance was read is lost.
            12 "overwrite" [APPLIES, OVERWRITES] "apply X# over $"
            Overwrite overwrite(request: &Request, base: Answer) -> Answer = rows(&[SetBalance, Append], Gives::Applied);

            /// Fails with [`Failure::StaleToken`] if the store has seen a higher token for the account, else remembers this one.
            13 "check-token" [] "check token $"
            CheckToken check_token(account: AccountId, token: Token) -> ()
            = rows(&[Insert(Fence, KeepHigher)], Gives::DoneOr(Failure::StaleToken));
        }
    };
}
pub(super) use for_each_operation;
