//! What operations read and write.

use crate::terms::{AccountId, ClientId, MessageId};

/// Whose things in a place are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// What belongs to one message.
    Message(MessageId),
    /// What belongs to one account.
    Account(AccountId),
    /// What belongs to one client.
    Client(ClientId),
    /// What was asked for and bears this id, e.g. a lease.
    Asked(i64),
    /// Whatever there is.
    Any,
}

/// Something that operations read and write, as fine as two operations need to be told apart: things in a place of the service, e.g.
/// in a table. What the places are, each service says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    pub place: &'static str,
    pub which: Whose,
}

impl Item {
    /// Whatever there is in the service: nobody knows what is touched.
    pub const ANYTHING: Item = Item { place: "*", which: Whose::Any };

    /// Whether two items can have something in common.
    #[must_use]
    pub fn meets(&self, other: &Item) -> bool {
        let any = |item: &Item| item.which == Whose::Any;
        (self.place == other.place && (self.which == other.which || any(self) || any(other)))
            || [self.place, other.place].contains(&Item::ANYTHING.place)
    }
}

/// What an operation reads and writes. Two operations of different lanes commute if neither writes what the other
/// reads or writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footprint {
    pub reads: Vec<Item>,
    pub writes: Vec<Item>,
}

impl Footprint {
    /// Whether the order of two operations with these footprints can matter.
    #[must_use]
    pub fn conflicts_with(&self, other: &Footprint) -> bool {
        let touches = |writes: &[Item], it: &Footprint| {
            writes.iter().any(|w| it.reads.iter().chain(&it.writes).any(|item| w.meets(item)))
        };
        touches(&self.writes, other) || touches(&other.writes, self)
    }
}
