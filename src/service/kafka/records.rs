//! What a record of the output topic says, and how batches are written and read.

use std::fmt::Display;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::driver::broken;
use crate::service::{BackendError, written};
use crate::terms::{Delivery, Effect, Entry, MessageId, Producer, Role};

/// Where a batch says how long the rest is, and where that rest begins.
const LENGTH_AT: usize = 8;
const REST_AT: usize = 12;
/// Where a batch says how far its last offset is from its first.
const LAST_OFFSET_AT: usize = 23;

/// A batch of one record, as a producer with a number or as nobody.
///
/// # Errors
/// [`BackendError`] if the library cannot write it.
pub(super) fn batch(
    message: MessageId,
    effect: Effect,
    by: Delivery,
    numbered: Option<(Producer, u8)>,
) -> Result<Bytes, BackendError> {
    batch_of(written::record(message, effect, by), numbered)
}

fn batch_of(value: String, numbered: Option<(Producer, u8)>) -> Result<Bytes, BackendError> {
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
        value: Some(value.into()),
        headers: IndexMap::new(),
    };
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let unwritten = |error: &dyn Display| broken(format!("a record cannot be written: {error}"), "report it");
    RecordBatchEncoder::encode(&mut bytes, [&record], &options).map_err(|error| unwritten(&error))?;
    Ok(bytes.freeze())
}

/// What a broker has sent of a partition: the entries from this offset on, and the offset behind them. The last batch may be cut off.
///
/// # Errors
/// [`BackendError`] if somebody else has written there.
pub(super) fn read(mut sent: Bytes, from: i64) -> Result<(Vec<Entry>, i64), BackendError> {
    let others = |what: String| broken(what, "let nothing else write to topics whose names begin with oncelab");
    let (mut entries, mut next) = (Vec::new(), from);
    while let (Some(first), Some(length)) = (sent.first_chunk::<LENGTH_AT>(), four(&sent, LENGTH_AT)) {
        let whole = REST_AT + usize::try_from(length).map_err(|_| others("a batch has no length".to_owned()))?;
        let Some(last) = four(&sent, LAST_OFFSET_AT).filter(|_| sent.len() >= whole) else { break };
        let behind = i64::from_be_bytes(*first) + i64::from(last) + 1;
        let mut batch = sent.split_to(whole);
        let records = RecordBatchDecoder::decode(&mut batch).map_err(|error| others(error.to_string()))?.records;
        // A batch is sent whole, though it may begin before the offset that was asked for.
        for record in records.iter().filter(|record| record.offset >= from && !record.control) {
            let value = record.value.as_deref().unwrap_or_default();
            let entry = std::str::from_utf8(value).ok().and_then(|text| written::read_record(text, Role::BROKER));
            let is_none = || others(format!("'{}' is not an entry of a ledger", value.escape_ascii()));
            entries.push(entry.ok_or_else(is_none)?);
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
    use crate::terms::{AccountId, ProducerId};

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
    fn what_the_lab_has_not_written_is_an_error() {
        let of = |text: &str| read(batch_of(text.to_owned(), None).unwrap(), 0);
        assert_eq!(of("m7 -5 to 3 by 1.2").unwrap().0.len(), 1);
        let said = of("hello").unwrap_err().to_string();
        assert!(said.contains("'hello' is not an entry") && said.contains("let nothing else write"), "{said}");
    }
}
