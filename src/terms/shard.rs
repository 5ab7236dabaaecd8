//! Shards: the equal parts of a piece of work that several machines share.

use std::fmt;
use std::num::NonZeroU16;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the equal parts of a piece of work. `2/8` is the second part of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// From 1 to `of`.
    number: NonZeroU16,
    of: NonZeroU16,
}

/// A text that is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAShard {
    #[error(
        "'{0}' is not a shard: write i/n with whole numbers from 1 to {max}, such as 2/8 for the second part of eight",
        max = u16::MAX
    )]
    Text(String),
    #[error("'{0}' divides the work into 0 shards: write i/n with n from 1 on, such as 1/1 for all of it")]
    NoShards(String),
    #[error("'{text}' is not one of {of} shards: they are numbered from 1/{of} to {of}/{of}")]
    Outside { text: String, of: NonZeroU16 },
}

/// There are more shards than things to divide among them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shard} makes more shards than there are {things}, which are {len}: use at most {len} shards")]
pub struct TooManyShards {
    pub shard: Shard,
    pub len: u128,
    /// What is divided, in the plural.
    pub things: String,
}

impl Shard {
    /// All of the work.
    pub const WHOLE: Shard = Shard { number: NonZeroU16::MIN, of: NonZeroU16::MIN };

    /// The part with this number, of so many; nothing if there is no such part.
    #[must_use]
    pub fn new(number: u16, of: u16) -> Option<Shard> {
        let shard = Shard { number: NonZeroU16::new(number)?, of: NonZeroU16::new(of)? };
        (number <= of).then_some(shard)
    }

    /// From 1 on.
    #[must_use]
    pub fn number(self) -> u16 {
        self.number.get()
    }

    /// How many shards there are.
    #[must_use]
    pub fn of(self) -> u16 {
        self.of.get()
    }

    /// Its indices of `len` things in a row. The sizes of the shards differ by at most 1, and the larger ones come first.
    #[must_use]
    pub fn range(self, len: u128) -> Range<u128> {
        let of = u128::from(self.of());
        let begin = |before: u128| (len / of) * before + before.min(len % of);
        begin(u128::from(self.number()) - 1)..begin(u128::from(self.number()))
    }

    /// Whether the thing with this index is its own, where the things are dealt out to the shards one after the other.
    #[must_use]
    pub fn has(self, index: usize) -> bool {
        index % usize::from(self.of()) == usize::from(self.number()) - 1
    }

    /// Refuses more shards than things. `things` is what is divided, in the plural.
    ///
    /// # Errors
    /// [`TooManyShards`] if some shard would have nothing.
    pub fn require_at_most(self, len: u128, things: &str) -> Result<(), TooManyShards> {
        if u128::from(self.of()) <= len {
            Ok(())
        } else {
            Err(TooManyShards { shard: self, len, things: things.to_owned() })
        }
    }
}

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, NotAShard> {
        let number = |part: &str| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse::<u16>().ok()).flatten()
        };
        let parts = text.split_once('/').and_then(|(i, n)| Some((number(i)?, number(n)?)));
        let (i, n) = parts.ok_or_else(|| NotAShard::Text(text.to_owned()))?;
        let of = NonZeroU16::new(n).ok_or_else(|| NotAShard::NoShards(text.to_owned()))?;
        Shard::new(i, n).ok_or_else(|| NotAShard::Outside { text: text.to_owned(), of })
    }
}

impl TryFrom<String> for Shard {
    type Error = NotAShard;

    fn try_from(text: String) -> Result<Self, NotAShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    /// Prints `2/8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    fn shards(of: u16) -> impl Iterator<Item = Shard> {
        (1..=of).map(move |number| Shard::new(number, of).unwrap())
    }

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        for text in ["1/1", "2/8", "8/8", "65535/65535"] {
            let shard: Shard = text.parse().unwrap();
            assert_eq!(shard.to_string(), text);
        }
        assert_eq!("2/8".parse::<Shard>().unwrap(), Shard::new(2, 8).unwrap());
        assert_eq!("1/1".parse::<Shard>().unwrap(), Shard::WHOLE);
    }

    #[test]
    fn what_is_not_a_shard_says_so_with_the_remedy() {
        for (text, says) in [
            ("1/0", "0 shards: write i/n with n from 1"),
            ("0/4", "not one of 4 shards: they are numbered from 1/4 to 4/4"),
            ("5/4", "not one of 4 shards: they are numbered from 1/4 to 4/4"),
            ("", "write i/n"),
            ("2", "write i/n"),
            ("/", "write i/n"),
            ("1/", "write i/n"),
            ("a/b", "write i/n"),
            ("+1/2", "write i/n"),
            ("-1/2", "write i/n"),
            ("1/2/3", "write i/n"),
            (" 1/2", "write i/n"),
            ("1/65536", "from 1 to 65535"),
        ] {
            let said = text.parse::<Shard>().unwrap_err().to_string();
            assert!(said.contains(says) && said.contains(text) && !said.contains('\n'), "{text}: {said}");
        }
    }

    #[test]
    fn the_ranges_follow_each_other_and_differ_by_at_most_one() {
        for len in (0..40).chain([1_397_226, u128::MAX]) {
            for of in (1..=17).chain([u16::MAX]) {
                let (mut end, mut sizes) = (0, Vec::new());
                for shard in shards(of) {
                    let range = shard.range(len);
                    assert_eq!(range.start, end, "{shard} of {len}");
                    end = range.end;
                    sizes.push(range.end - range.start);
                }
                assert_eq!(end, len, "{of} shards");
                assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{of} shards of {len}");
            }
        }
        assert_eq!(Shard::new(2, 8).unwrap().range(1_397_226), 174_654..349_308);
    }

    #[test]
    fn each_thing_is_one_shards() {
        for of in 1..=9 {
            for index in 0..40 {
                assert_eq!(shards(of).filter(|shard| shard.has(index)).count(), 1, "{index} of {of} shards");
            }
        }
        assert!(Shard::new(2, 3).unwrap().has(4) && !Shard::new(2, 3).unwrap().has(3));
    }

    #[test]
    fn more_shards_than_things_are_refused() {
        let shard = Shard::new(2, 8).unwrap();
        assert_eq!(shard.require_at_most(8, "classes"), Ok(()));
        let said = shard.require_at_most(7, "classes of dedup-table").unwrap_err().to_string();
        assert_eq!(
            said,
            "2/8 makes more shards than there are classes of dedup-table, which are 7: use at most 7 shards"
        );
    }
}
