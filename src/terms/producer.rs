//! What a broker calls those who append records to its topics, and what they do together.

use super::{ClientId, Request};

/// A producer of a broker's, by the id that the broker gave it. Kafka's has 64 bits, and a broker counts from 0 on: it has the first 32 of
/// them to itself for a long time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u32);

/// A producer, and how often its id has been taken over: an epoch fences those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Producer {
    pub id: ProducerId,
    pub epoch: i16,
}

impl std::fmt::Display for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.id.0, self.epoch)
    }
}

impl std::str::FromStr for Producer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (id, epoch) = text.split_once('/').ok_or(())?;
        Ok(Producer { id: ProducerId(id.parse().map_err(drop)?), epoch: epoch.parse().map_err(drop)? })
    }
}

/// How a producer and a broker talk about transactions.
///
/// Source: KIP-98 for the first, KIP-890 for the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionProtocol {
    /// The producer says which partitions belong to a transaction before it writes to them, and keeps its epoch from one transaction to
    /// the next.
    One = 1,
    /// A write says by itself to which transaction it belongs, and each end of a transaction raises the producer's epoch.
    Two = 2,
}

/// The transactions of a producer session. The broker tells them from those of other sessions by the producer's epoch, and from each other
/// only under the second protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transactions {
    /// Whose records are worked on: it stands in the transactional id, so that whoever takes them over fences the one before.
    pub client: ClientId,
    pub producer: Producer,
    pub protocol: TransactionProtocol,
}

impl Transactions {
    /// The same in another epoch.
    #[must_use]
    pub const fn in_epoch(self, epoch: Epoch) -> Self {
        Transactions { producer: Producer { epoch: epoch.0, ..self.producer }, ..self }
    }
}

/// The epoch of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i16);

impl std::fmt::Display for Transactions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "of {} by {} protocol {}", self.client.0, self.producer, self.protocol as u8)
    }
}

impl std::str::FromStr for Transactions {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (client, rest) = text.strip_prefix("of ").and_then(|rest| rest.split_once(" by ")).ok_or(())?;
        let (producer, protocol) = rest.split_once(" protocol ").ok_or(())?;
        let protocol = match protocol {
            "1" => TransactionProtocol::One,
            "2" => TransactionProtocol::Two,
            _ => return Err(()),
        };
        Ok(Transactions { client: ClientId(client.parse().map_err(drop)?), producer: producer.parse()?, protocol })
    }
}

/// How far a consumer group has come in the records of a client: the number of the one that it goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u32);

impl Offset {
    /// Behind a request.
    #[must_use]
    pub const fn behind(request: &Request) -> Self {
        Offset(request.sequence.saturating_add(1))
    }
}

/// A member of a consumer group, by the number that the lab has for it: a broker gives it a longer name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u32);

/// Who is a member of which group: of the one that works on a client's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Membership {
    pub client: ClientId,
    pub member: MemberId,
}

impl std::fmt::Display for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "of {} as {}", self.client.0, self.member.0)
    }
}

impl std::str::FromStr for Membership {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (client, member) = text.strip_prefix("of ").and_then(|rest| rest.split_once(" as ")).ok_or(())?;
        let (client, member) = (client.parse().map_err(drop)?, member.parse().map_err(drop)?);
        Ok(Membership { client: ClientId(client), member: MemberId(member) })
    }
}
