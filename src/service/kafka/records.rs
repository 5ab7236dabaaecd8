//! What a record of the output topic says, and how batches are written and read.

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::terms::{AccountId, Delivery, Effect, Entry, MessageId, Producer, Role};

/// Where a batch says how long the rest is, and where that rest begins.
const LENGTH_AT: usize = 8;
const REST_AT: usize = 12;
/// Where a batch says how far its last offset is from its first.
const LAST_OFFSET_AT: usize = 23;

/// The value of an effect's record.
fn value(message: MessageId, effect: Effect, by: Delivery) -> String {
    format!("m{} {:+} to {} by {}.{}", message.0, effect.amount, effect.account.0, by.attempt, by.copy)
}

/// An entry from the value of a record; nothing if the lab has not written it.
fn entry(value: &[u8]) -> Option<Entry> {
    let (message, rest) = std::str::from_utf8(value).ok()?.strip_prefix('m')?.split_once(' ')?;
    let (amount, rest) = rest.split_once(" to ")?;
    let (account, by) = rest.split_once(" by ")?;
    let (attempt, copy) = by.split_once('.')?;
    let amount = amount.parse().ok()?;
    Some(Entry {
        role: Role::BROKER,
        number: 0,
        message: MessageId(message.parse().ok()?),
        account: AccountId(account.parse().ok()?),
        amount,
        balance: amount,
        token: None,
        by: Delivery { attempt: attempt.parse().ok()?, copy: copy.parse().ok()? },
    })
}

/// A batch of one record, as a producer with a number or as nobody.
pub(super) fn batch(
    message: MessageId,
    effect: Effect,
    by: Delivery,
    numbered: Option<(Producer, u8)>,
) -> Result<Bytes, String> {
    let (producer_id, producer_epoch, sequence) = match numbered {
        None => (NO_PRODUCER_ID, NO_PRODUCER_EPOCH, NO_SEQUENCE),
        Some((producer, number)) => (producer.id.0.into(), producer.epoch, number.into()),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id,
        producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        key: None,
        value: Some(value(message, effect, by).into()),
        headers: IndexMap::new(),
    };
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, [&record], &options).map_err(|error| error.to_string())?;
    Ok(bytes.freeze())
}

/// What a broker has sent of a partition: the entries from this offset on, and the offset behind them. The last batch may be cut off.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(mut sent: Bytes, from: i64) -> Result<(Vec<Entry>, i64), String> {
    let (mut entries, mut next) = (Vec::new(), from);
    while let (Some(first), Some(length)) = (sent.first_chunk::<LENGTH_AT>(), four(&sent, LENGTH_AT)) {
        let whole = REST_AT + usize::try_from(length).map_err(|_| "a batch has no length".to_owned())?;
        let Some(last) = four(&sent, LAST_OFFSET_AT).filter(|_| sent.len() >= whole) else { break };
        let behind = i64::from_be_bytes(*first) + i64::from(last) + 1;
        let mut batch = sent.split_to(whole);
        let records = RecordBatchDecoder::decode(&mut batch).map_err(|error| error.to_string())?.records;
        // A batch is sent whole, though it may begin before the offset that was asked for.
        for record in records.iter().filter(|record| record.offset >= from && !record.control) {
            let value = record.value.as_deref().unwrap_or_default();
            let is_none = || format!("'{}' is not an entry of a ledger", value.escape_ascii());
            entries.push(entry(value).ok_or_else(is_none)?);
        }
        next = behind;
    }
    Ok((entries, next.max(from)))
}

fn four(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::ProducerId;

    const EFFECT: Effect = Effect { account: AccountId(3), amount: -5 };
    const BY: Delivery = Delivery { attempt: 1, copy: 2 };

    #[test]
    fn a_batch_reads_back_as_it_was_written_and_what_is_cut_off_is_left() {
        let one = batch(MessageId(7), EFFECT, BY, Some((Producer { id: ProducerId(4), epoch: 1 }, 2))).unwrap();
        let two = [&one[..], &one[..one.len() - 1]].concat();
        let (entries, next) = read(two.into(), 0).unwrap();
        let [it] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((it.message, it.account, it.amount, it.by, next), (MessageId(7), AccountId(3), -5, BY, 1));
        assert_eq!(read(one, 1).unwrap(), (Vec::new(), 1), "it lies before what was asked for");
        assert_eq!(read(Bytes::new(), 9).unwrap(), (Vec::new(), 9));
    }

    #[test]
    fn what_the_lab_has_not_written_is_rejected() {
        assert!(entry(b"m7 -5 to 3 by 1.2").is_some());
        for other in ["", "7 -5 to 3 by 1.2", "m7 -5 to 3", "m7 x to 3 by 1.2", "m7 -5 to 3 by 1"] {
            assert!(entry(other.as_bytes()).is_none(), "{other}");
        }
    }
}
