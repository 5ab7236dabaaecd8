//! Rows with what hangs on them: who has locked them, and whose snapshot is older than their last change.

use crate::terms::{MessageId, Session, Sessions};

/// A row that is changed in place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row<T> {
    /// As it was committed.
    pub committed: T,
    /// Whose transaction holds its lock.
    pub locked: Option<Session>,
    /// What that transaction has made of it.
    pub changed: Option<T>,
    /// The transactions whose snapshots are older than the last commit of a change.
    pub newer_than: Sessions,
}

impl<T: Copy> Row<T> {
    pub fn new(value: T) -> Self {
        Row { committed: value, locked: None, changed: None, newer_than: Sessions::NONE }
    }

    /// As this transaction sees it when it comes to change it.
    pub fn current(&self, session: Session) -> T {
        if self.locked == Some(session) { self.changed.unwrap_or(self.committed) } else { self.committed }
    }

    /// Who else holds its lock.
    pub fn held_by_other(&self, session: Session) -> Sessions {
        self.locked.filter(|holder| *holder != session).map_or(Sessions::NONE, Sessions::only)
    }

    /// What a transaction has made of it becomes what it is.
    pub fn commit(&mut self, session: Session, snapshots: Sessions) {
        if self.locked == Some(session) {
            self.locked = None;
            if let Some(value) = self.changed.take() {
                self.committed = value;
                self.newer_than = snapshots;
            }
        }
        self.newer_than = self.newer_than.without(session);
    }

    pub fn undo(&mut self, session: Session) {
        if self.locked == Some(session) {
            self.locked = None;
            self.changed = None;
        }
        self.newer_than = self.newer_than.without(session);
    }

    pub fn rename(&mut self, to: &impl Fn(Session) -> Session) {
        self.locked = self.locked.map(to);
        self.newer_than = self.newer_than.rename(to);
    }
}

/// How far the insertion of a row has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Insertion {
    /// In a transaction that is still open.
    Pending(Session),
    /// Committed, and invisible to the transactions whose snapshots are older.
    Committed { hidden_from: Sessions },
    /// Committed, and deleted in a transaction that is still open.
    Going { by: Session, hidden_from: Sessions },
    /// Deleted for good. Only the transactions see it whose snapshots are older than that.
    Gone { seen_by: Sessions },
}

impl Insertion {
    pub fn is_visible_to(self, session: Session) -> bool {
        match self {
            Insertion::Pending(by) => by == session,
            Insertion::Committed { hidden_from } => !hidden_from.contains(session),
            Insertion::Going { by, hidden_from } => by != session && !hidden_from.contains(session),
            Insertion::Gone { seen_by } => seen_by.contains(session),
        }
    }

    /// Whether nobody sees it, now or later.
    pub fn is_forgotten(self) -> bool {
        matches!(self, Insertion::Gone { seen_by } if seen_by.is_empty())
    }

    pub fn is_pending_of(self, session: Session) -> bool {
        self == Insertion::Pending(session)
    }

    pub fn commit(&mut self, session: Session, snapshots: Sessions) {
        if self.is_pending_of(session) {
            *self = Insertion::Committed { hidden_from: snapshots };
        }
        if let Insertion::Going { by, hidden_from } = *self
            && by == session
        {
            *self = Insertion::gone(snapshots, hidden_from);
        }
        self.forget_snapshot(session);
    }

    /// What was deleted for good while these looked at a snapshot, some of whom never saw it.
    pub fn gone(snapshots: Sessions, hidden_from: Sessions) -> Self {
        Insertion::Gone { seen_by: snapshots.minus(hidden_from) }
    }

    /// A deletion is taken back with its transaction.
    pub fn undo(&mut self, session: Session) {
        if let Insertion::Going { by, hidden_from } = *self
            && by == session
        {
            *self = Insertion::Committed { hidden_from };
        }
        self.forget_snapshot(session);
    }

    /// The snapshot of a transaction that has ended hides nothing.
    pub fn forget_snapshot(&mut self, session: Session) {
        match self {
            Insertion::Pending(_) => {}
            Insertion::Committed { hidden_from: of }
            | Insertion::Going { hidden_from: of, .. }
            | Insertion::Gone { seen_by: of } => {
                *of = of.without(session);
            }
        }
    }

    pub fn rename(&mut self, to: &impl Fn(Session) -> Session) {
        match self {
            Insertion::Pending(by) => *by = to(*by),
            Insertion::Committed { hidden_from: of } | Insertion::Gone { seen_by: of } => *of = of.rename(to),
            Insertion::Going { by, hidden_from } => {
                *by = to(*by);
                *hidden_from = hidden_from.rename(to);
            }
        }
    }
}

/// A row of a table without a unique constraint: a mark, or a stored answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Note {
    pub message: MessageId,
    pub value: i64,
    pub insertion: Insertion,
}
