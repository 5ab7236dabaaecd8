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

            /// The same for two requests, in one statement and one commit: what it comes to for each. Their effects are on one account.
            44 "claim-and-apply-both" [APPLIES] "claim K#, K& and apply X#, X&"
            ClaimAndApplyBoth claim_and_apply_both(request: &Request, also: AlsoRequest) -> TwoAnswers = Does::Both;

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

            /// Locks the row of an account until the transaction ends (SELECT … FOR UPDATE), and gives the balance. Whoever changes or
            /// locks the row waits for that.
            20 "lock-row" [READS] "lock the account"
            LockRow lock_row(account: AccountId) -> Answer = rows(&[Lock(Account)], Gives::Balance);

            /// Takes the lock that has the message's id for a name until the transaction ends (`pg_advisory_xact_lock`). It guards
            /// nothing but whoever takes it too.
            21 "advisory-lock" [READS] "lock K#"
            AdvisoryLock advisory_lock(id: MessageId) -> () = rows(&[Advisory(ForTransaction)], Gives::Done);

            /// The same lock, until it is released or the connection ends (`pg_advisory_lock`).
            22 "session-lock" [READS, HOLDS] "lock K# for the session"
            SessionLock session_lock(id: MessageId) -> () = rows(&[Advisory(ForSession)], Gives::Done);

            /// Releases a lock of the session's.
            23 "session-unlock" [READS, FREES] "unlock K#"
            SessionUnlock session_unlock(id: MessageId) -> () = rows(&[Advisory(Release)], Gives::Done);

            /// `[PUT X]`: sets the account to the amount, whatever it is by now, and appends to the ledger. Gives the new value.
            29 "put" [APPLIES] "put X#"
            Put put(request: &Request) -> Answer = rows(&[PutAmount, Append], Gives::Applied);

            /// `[PUT X]`, if the account was set so many times before, one less than this: nothing if not.
            30 "put-if" [APPLIES, CONDITIONS] "put X# as version $"
            PutIf put_if(request: &Request, version: u32) -> Option<Answer>
            = rows(&[Insert(Version, Next), PutAmount, Append], Gives::Applied);

            /// `[DELETE]`: sets the account to 0, whatever it is by now, and appends to the ledger.
            31 "delete" [APPLIES] "delete X#"
            Delete delete(request: &Request) -> Answer = rows(&[Clear, Append], Gives::Applied);

            /// `[POST X]`: appends to the ledger, and changes no account.
            32 "create" [APPLIES] "create X#"
            Create create(request: &Request) -> Answer = rows(&[Record], Gives::Applied);

            /// Takes the message id for a time; true if nobody had it, or if the time of whoever had it has run out.
            33 "take" [TAKES] "take K#"
            Take take(id: MessageId) -> bool = rows(&[Insert(Claimed, OnConflict::Take)], Gives::Claimed);

            /// Stores the answer `R`, and keeps for good what was taken for a time.
            34 "keep" [MARKS] "keep K#, store R#"
            KeepTaken keep(id: MessageId, answer: Answer) -> ()
            = rows(&[Insert(StoredAnswer, Another), Keep(Claimed)], Gives::Done);

            /// Takes the message id for a time, and applies the effect and stores the answer if it could be taken; in one statement.
            /// Nothing if somebody has it whose time has not run out.
            35 "take-and-apply" [APPLIES, TAKES] "take K# and apply X#"
            TakeAndApply take_and_apply(request: &Request) -> Option<Answer>
            = rows(&[Insert(Claimed, OnConflict::Take), AddAmount, Append, InsertBalance(StoredAnswer)], Gives::Applied);

            /// The same, where an id is taken until midnight.
            36 "take-for-the-day" [APPLIES, TAKES] "take K# for the day and apply X#"
            TakeForTheDay take_for_the_day(request: &Request) -> Option<Answer>
            = rows(&[Insert(Daily, OnConflict::Take), AddAmount, Append, InsertBalance(StoredAnswer)], Gives::Applied);

            /// Remembers how far the work on a message has come; true if it had not come so far before.
            37 "advance-phase" [] "advance K# to phase $"
            AdvancePhase advance_phase(id: MessageId, phase: u32) -> bool = rows(&[Insert(Phase, Raise)], Gives::Claimed);

            /// Keeps for good what was taken for a time.
            38 "finish" [MARKS] "finish K#"
            Finish finish(id: MessageId) -> () = rows(&[Keep(Claimed)], Gives::Done);

            /// Binds the message id to the body that it came with; false if the id is bound to another.
            43 "bind" [] "bind K# to its body"
            Bind bind(id: MessageId, body: BodyDigest) -> bool = rows(&[Insert(Body, KeepFirst)], Gives::Claimed);

            /// Forgets whatever was remembered of a message: its id wherever it is kept, and the stored answers. What a reaper does to
            /// what is older than its window.
            39 "forget" [FORGETS] "forget K#"
            Forget forget(id: MessageId) -> ()
            = rows(
                &[
                    Delete(Mark),
                    Delete(Claim),
                    Delete(Claimed),
                    Delete(Daily),
                    Delete(Phase),
                    Delete(Body),
                    Delete(Outbox),
                    Delete(StoredAnswer),
                ],
                Gives::Done,
            );

            /// Puts a message into the outbox, under a unique constraint, and on conflict does nothing; true if it was not there.
            40 "put-in-outbox" [] "put K# in the outbox"
            PutInOutbox put_in_outbox(id: MessageId) -> bool = rows(&[Insert(Outbox, Nothing)], Gives::Claimed);

            /// Whether a message in the outbox was handed on: 0 as long as nobody has said so. Nothing if it is not there.
            41 "read-outbox" [READS] "look for K# in the outbox"
            ReadOutbox read_outbox(id: MessageId) -> Option<Answer> = rows(&[Read(Outbox)], Gives::Found);

            /// Says of a message in the outbox, if it is there, that it was handed on.
            42 "mark-sent" [MARKS] "mark K# as sent"
            MarkSent mark_sent(id: MessageId, sent: u32) -> () = rows(&[Set(Outbox)], Gives::Done);

            /// Remembers a number as the client's last one; true if it is higher than the one that was there.
            24 "advance" [ORDERS] "advance to $"
            Advance advance(client: ClientId, sequence: u32) -> bool = rows(&[Insert(Sequence, Raise)], Gives::Claimed);

            /// The number of the client's last request, if there was one.
            25 "read-sequence" [READS] "read the last number"
            ReadSequence read_sequence(client: ClientId) -> Option<Answer> = rows(&[Read(Sequence)], Gives::Found);

            /// Keeps an answer as the one to the client's last request.
            26 "keep-answer" [MARKS] "keep R#"
            KeepAnswer keep_answer(id: MessageId, client: ClientId, answer: Answer) -> ()
            = rows(&[Insert(LastAnswer, Replace)], Gives::Done);

            /// The answer to the client's last request, if one is kept.
            27 "read-last-answer" [READS, LOOKS] "read R#"
            ReadLastAnswer read_last_answer(id: MessageId, client: ClientId) -> Option<Answer>
            = rows(&[Read(LastAnswer)], Gives::Found);

            /// `[X]`, if its number is higher than that of every request of the client that was done before: nothing if not.
            28 "apply-newer" [APPLIES, ORDERS] "apply X# if it is newer"
            ApplyNewer apply_newer(request: &Request, client: ClientId, sequence: u32) -> Option<Answer>
            = rows(&[Insert(Sequence, Raise), AddAmount, Append], Gives::Applied);
        }
    };
}
pub(super) use for_each_operation;
