//! SERIALIZABLE as PostgreSQL has it: snapshot isolation, and a watch over read-write conflicts.
//!
//! A transaction T1 has a conflict out to T2 if T1 read what T2 wrote and did not see it. A transaction with a conflict in
//! and a conflict out is a pivot, and may be part of a cycle if the one that it has the conflict out to committed first.
//! Then one of them fails.
//!
//! What was read is remembered by table: on tables as small as an exploration's, PostgreSQL's predicate locks are on whole
//! relations or on the only page of an index.
//!
//! Source: Ports and Grittner (2012), and `OnConflict_CheckForSerializationFailure` and `PreCommit_CheckForSerializationFailure`
//! in PostgreSQL 15's `predicate.c`.

use crate::service::store::program::StoreTable;
use crate::terms::{Session, Sessions};

/// The serializable transactions that matter: those that are open, and those that committed while one of them was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Serializable {
    watched: Vec<Watched>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Watched {
    /// Its connection; once it has committed, a name that no connection has.
    name: Session,
    reads: u16,
    writes: u16,
    conflicts_in: Sessions,
    conflicts_out: Sessions,
    /// It must fail at its next step.
    doomed: bool,
    /// Its place among those that have committed.
    committed: Option<u8>,
    /// Of one that has committed: the transactions whose snapshots do not show it.
    concurrent_with: Sessions,
}

/// The names of transactions that have committed: from here down.
const COMMITTED_NAMES: u8 = 63;

impl Serializable {
    /// Makes it as it was in the beginning.
    pub fn begin_again(&mut self) {
        self.watched.clear();
    }

    /// Whether there is nobody whom it watches.
    pub fn is_idle(&self) -> bool {
        self.watched.is_empty()
    }

    pub fn begin(&mut self, session: Session) {
        self.watched.push(Watched {
            name: session,
            reads: 0,
            writes: 0,
            conflicts_in: Sessions::NONE,
            conflicts_out: Sessions::NONE,
            doomed: false,
            committed: None,
            concurrent_with: Sessions::NONE,
        });
        self.watched.sort_unstable_by_key(|watched| watched.name);
    }

    /// A transaction reads a table: a conflict out to everyone who has written it unseen. False if it must fail.
    pub fn reads(&mut self, session: Session, table: StoreTable) -> bool {
        let Some(me) = self.at(session) else { return true };
        self.watched[me].reads |= bit(table);
        let others: Vec<usize> = (0..self.watched.len()).filter(|it| *it != me).collect();
        let written = |other: &Watched| other.writes & bit(table) != 0 && other.is_concurrent_with(session);
        let unseen: Vec<usize> = others.into_iter().filter(|it| written(&self.watched[*it])).collect();
        !self.watched[me].doomed && unseen.into_iter().all(|writer| self.conflict(me, writer, me))
    }

    /// A transaction writes a table: a conflict in from everyone who has read it before. False if it must fail.
    pub fn writes(&mut self, session: Session, table: StoreTable) -> bool {
        let Some(me) = self.at(session) else { return true };
        self.watched[me].writes |= bit(table);
        let others: Vec<usize> = (0..self.watched.len()).filter(|it| *it != me).collect();
        let read = |other: &Watched| other.reads & bit(table) != 0 && other.is_concurrent_with(session);
        let readers: Vec<usize> = others.into_iter().filter(|it| read(&self.watched[*it])).collect();
        !self.watched[me].doomed && readers.into_iter().all(|reader| self.conflict(reader, me, me))
    }

    /// Notes that a reader did not see what a writer wrote. False if `me`, one of the two, must fail for it.
    fn conflict(&mut self, reader: usize, writer: usize, me: usize) -> bool {
        let (from, to) = (self.watched[reader].name, self.watched[writer].name);
        self.watched[reader].conflicts_out = self.watched[reader].conflicts_out.and(Sessions::only(to));
        self.watched[writer].conflicts_in = self.watched[writer].conflicts_in.and(Sessions::only(from));
        if !self.is_dangerous(reader, writer) {
            return true;
        }
        // The writer is doomed if it still can be, else whoever is at it fails.
        if writer == me || self.watched[writer].committed.is_some() {
            return false;
        }
        self.watched[writer].doomed = true;
        true
    }

    /// Whether the new conflict makes one of the two a pivot whose conflict out committed first.
    fn is_dangerous(&self, reader: usize, writer: usize) -> bool {
        let (r, w) = (&self.watched[reader], &self.watched[writer]);
        let order = |watched: &Watched| watched.committed.unwrap_or(u8::MAX);
        // reader → writer → third, and the third committed before both.
        let third_first = self.watched.iter().any(|third| {
            third.committed.is_some()
                && w.conflicts_out.contains(third.name)
                && order(third) <= order(w)
                && order(third) <= order(r)
        });
        // first → reader → writer, and the writer committed before both.
        let writer_first = w.committed.is_some()
            && self
                .watched
                .iter()
                .any(|first| r.conflicts_in.contains(first.name) && !first.doomed && order(first) >= order(w));
        third_first || writer_first
    }

    /// Whether a transaction may commit. Pivots that it would close a cycle with are doomed.
    pub fn may_commit(&mut self, session: Session) -> bool {
        let Some(me) = self.at(session) else { return true };
        if self.watched[me].doomed {
            return false;
        }
        let is_open = |watched: &Watched| watched.committed.is_none() && !watched.doomed;
        for near in 0..self.watched.len() {
            let pivot = &self.watched[near];
            if !self.watched[me].conflicts_in.contains(pivot.name) || !is_open(pivot) {
                continue;
            }
            let closes = |far: &Watched| pivot.conflicts_in.contains(far.name) && (far.name == session || is_open(far));
            if self.watched.iter().any(closes) {
                self.watched[near].doomed = true;
            }
        }
        true
    }

    /// A transaction has committed: it is watched as long as one is open that does not see it.
    pub fn committed(&mut self, session: Session) {
        let Some(me) = self.at(session) else { return };
        let open = self.watched.iter().filter(|other| other.committed.is_none() && other.name != session);
        let concurrent_with: Sessions = open.map(|other| other.name).collect();
        let place = self.watched.iter().filter(|other| other.committed.is_some()).count();
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        self.watched[me].committed = Some(place);
        self.watched[me].concurrent_with = concurrent_with;
        let name = Session(COMMITTED_NAMES - place);
        self.rename(&|other| if other == session { name } else { other });
        self.forget_what_nobody_needs();
    }

    /// A transaction has been undone: it never was.
    pub fn forget(&mut self, session: Session) {
        self.watched.retain(|watched| watched.name != session);
        for watched in &mut self.watched {
            watched.conflicts_in = watched.conflicts_in.without(session);
            watched.conflicts_out = watched.conflicts_out.without(session);
            watched.concurrent_with = watched.concurrent_with.without(session);
        }
        self.forget_what_nobody_needs();
    }

    pub fn rename(&mut self, to: &impl Fn(Session) -> Session) {
        for watched in &mut self.watched {
            watched.name = to(watched.name);
            watched.conflicts_in = watched.conflicts_in.rename(to);
            watched.conflicts_out = watched.conflicts_out.rename(to);
            watched.concurrent_with = watched.concurrent_with.rename(to);
        }
        self.watched.sort_unstable_by_key(|watched| watched.name);
    }

    fn forget_what_nobody_needs(&mut self) {
        if self.watched.iter().all(|watched| watched.committed.is_some()) {
            self.watched.clear();
        }
    }

    fn at(&self, session: Session) -> Option<usize> {
        self.watched.iter().position(|watched| watched.name == session)
    }
}

impl Watched {
    fn is_concurrent_with(&self, session: Session) -> bool {
        self.committed.is_none() || self.concurrent_with.contains(session)
    }
}

fn bit(table: StoreTable) -> u16 {
    1 << (table as u8)
}
