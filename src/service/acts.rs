//! What an operation is, for those who judge or count it without knowing it.

/// What an operation is, as a set of the acts below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Acts(u32);

impl Acts {
    /// None of them.
    pub const NONE: Acts = Acts(0);
    /// It changes nothing.
    pub const READS: Acts = Acts(1);
    /// It may apply an effect.
    pub const APPLIES: Acts = Acts(1 << 1);
    /// It sets a balance to a value that was read before, whatever the balance is by now.
    pub const OVERWRITES: Acts = Acts(1 << 2);
    /// It begins a transaction.
    pub const BEGINS: Acts = Acts(1 << 3);
    /// It commits the open transaction.
    pub const COMMITS: Acts = Acts(1 << 4);
    /// It undoes the open transaction.
    pub const UNDOES: Acts = Acts(1 << 5);
    /// It asks whether the message has been seen. A claim is not a look: it asks and marks at once.
    pub const LOOKS: Acts = Acts(1 << 6);
    /// It leaves a mark that a look finds.
    pub const MARKS: Acts = Acts(1 << 7);
    /// It is given a name of its own, e.g. a lease, under which its delivery holds locks, or the id of a producer.
    pub const LEASES: Acts = Acts(1 << 8);
    /// It bears a name that its delivery has drawn for itself, under which it holds locks.
    pub const SIGNS: Acts = Acts(1 << 22);
    /// It enters a critical section.
    pub const ENTERS: Acts = Acts(1 << 9);
    /// It leaves a critical section.
    pub const LEAVES: Acts = Acts(1 << 10);
    /// Nobody knows what it does: a statement of a strategy's own. It has every act that it may have.
    pub const UNKNOWN: Acts = Acts(1 << 11);
    /// There is an id in it of something that was asked for, or a ranked one.
    pub const NAMES: Acts = Acts(1 << 13);
    /// It may have to wait in a queue for what others hold.
    pub const QUEUES: Acts = Acts(1 << 12);

    /// It compares the number of a request with that of the client's last one: it changes nothing if a newer one was done before.
    pub const ORDERS: Acts = Acts(1 << 14);

    /// It changes nothing if the version that it names is not the one that is there (If-Match).
    pub const CONDITIONS: Acts = Acts(1 << 17);
    /// It takes the message's id for a time: it changes nothing if somebody has it and that time has not run out.
    pub const TAKES: Acts = Acts(1 << 18);
    /// What was remembered of the message is forgotten.
    pub const FORGETS: Acts = Acts(1 << 19);
    /// It takes something that its connection holds, transaction or not, and that is free when the connection ends: a session's lock.
    pub const HOLDS: Acts = Acts(1 << 15);
    /// It gives back what the connection holds.
    pub const FREES: Acts = Acts(1 << 16);

    /// It is a client's request that crosses the hop to its handler. Nobody replies to it: it can be lost, or be late. If it lands after
    /// its client has gone, a handler begins with it all the same.
    pub const ARRIVES: Acts = Acts(1 << 21);
    /// It is the answer that crosses the hop back to the client. It can be lost; nobody waits for what it would do later.
    pub const ANSWERS: Acts = Acts(1 << 20);

    /// Each of the acts above.
    const ALL: [Acts; 23] = [
        Acts::READS,
        Acts::APPLIES,
        Acts::OVERWRITES,
        Acts::BEGINS,
        Acts::COMMITS,
        Acts::UNDOES,
        Acts::LOOKS,
        Acts::MARKS,
        Acts::LEASES,
        Acts::SIGNS,
        Acts::ENTERS,
        Acts::LEAVES,
        Acts::UNKNOWN,
        Acts::QUEUES,
        Acts::NAMES,
        Acts::ORDERS,
        Acts::HOLDS,
        Acts::FREES,
        Acts::CONDITIONS,
        Acts::TAKES,
        Acts::FORGETS,
        Acts::ANSWERS,
        Acts::ARRIVES,
    ];

    /// It ends a transaction, in one way or the other.
    pub const ENDS: Acts = Acts::COMMITS.and(Acts::UNDOES);
    /// It begins or ends a transaction.
    pub const BOUNDS: Acts = Acts::BEGINS.and(Acts::ENDS);

    /// These acts and those.
    #[must_use]
    pub const fn and(self, other: Acts) -> Acts {
        Acts(self.0 | other.0)
    }

    /// Whether any of these acts is among them.
    #[must_use]
    #[inline]
    pub const fn any(self, of: Acts) -> bool {
        self.0 & of.0 != 0
    }

    /// Whether an effect may be there after it that was not there before: it applies one, or commits one.
    #[must_use]
    #[inline]
    pub const fn may_apply(self) -> bool {
        self.any(Acts::APPLIES.and(Acts::COMMITS))
    }
}

// None has the bit of another.
const _: () = {
    let (mut seen, mut n) = (Acts::NONE, 0);
    while n < Acts::ALL.len() {
        assert!(!seen.any(Acts::ALL[n]));
        seen = seen.and(Acts::ALL[n]);
        n += 1;
    }
};
