//! What a broker calls those who append records to its topics.

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
