//! What a record of the output topic says, and how batches are written and read.

use std::fmt::Display;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::driver::broken;
use super::op::RECORDED;
use crate::service::{BackendError, written};
use crate::terms::{Delivery, Effect, Entry, MessageId, Producer, Role};

/// Where a batch says how long the rest is, and where that rest begins.
const LENGTH_AT: usize = 8;
const REST_AT: usize = 12;
/// Where a batch says how far its last offset is from its first.
const LAST_OFFSET_AT: usize = 23;

/// A batch of one record, as a producer with a number or as nobody.
pub(super) struct NewBatch {
    pub message: MessageId,
    pub effect: Effect,
    pub by: Delivery,
    pub numbered: Option<(Producer, u8)>,
}

/// A batch as it is sent, in a transaction or not.
///
/// # Errors
/// [`BackendError`] if the library cannot write it.
pub(super) fn batch(of: NewBatch, in_transaction: bool) -> Result<Bytes, BackendError> {
    batch_of(written::record(of.message, of.effect, of.by), of.numbered, in_transaction)
}

fn batch_of(value: String, numbered: Option<(Producer, u8)>, in_transaction: bool) -> Result<Bytes, BackendError> {
    let (producer_id, producer_epoch, sequence) = match numbered {
        None => (NO_PRODUCER_ID, NO_PRODUCER_EPOCH, NO_SEQUENCE),
        Some((producer, number)) => (producer.id.0.into(), producer.epoch, number.into()),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let record = Record {
        transactional: in_transaction,
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

/// What a broker has sent of a partition.
pub(super) struct Sent {
    pub bytes: Bytes,
    /// The transactions in it that were aborted: whose, and where each begins. A broker sends their records all the same.
    pub aborted: Vec<(i64, i64)>,
}

/// The committed entries from this offset on, and the offset behind them. The last batch may be cut off.
///
/// # Errors
/// [`BackendError`] if somebody else has written there.
pub(super) fn read(sent: Sent, from: i64) -> Result<(Vec<Entry>, i64), BackendError> {
    let others = |what: String| broken(what, "let nothing else write to topics whose names begin with oncelab");
    let Sent { mut bytes, aborted } = sent;
    let (mut entries, mut next, mut ended) = (Vec::new(), from, Vec::new());
    while let (Some(first), Some(length)) = (bytes.first_chunk::<LENGTH_AT>(), four(&bytes, LENGTH_AT)) {
        let whole = REST_AT + usize::try_from(length).map_err(|_| others("a batch has no length".to_owned()))?;
        let Some(last) = four(&bytes, LAST_OFFSET_AT).filter(|_| bytes.len() >= whole) else { break };
        let behind = i64::from_be_bytes(*first) + i64::from(last) + 1;
        let mut batch = bytes.split_to(whole);
        let records = RecordBatchDecoder::decode(&mut batch).map_err(|error| others(error.to_string()))?.records;
        // A batch is sent whole, though it may begin before the offset that was asked for.
        for record in records.iter().filter(|record| record.offset >= from) {
            // An aborted transaction is one from where it begins to the mark of its end.
            let is_in = |(whose, begins): &&(i64, i64)| *whose == record.producer_id && *begins <= record.offset;
            let of = aborted.iter().find(|it| is_in(it) && !ended.contains(*it));
            if record.control {
                ended.extend(of);
                continue;
            }
            if record.transactional && of.is_some() {
                continue;
            }
            let value = record.value.as_deref().unwrap_or_default();
            let entry = std::str::from_utf8(value).ok().and_then(|text| written::read_record(text, Role::BROKER));
            let is_none = || others(format!("'{}' is not an entry of a ledger", value.escape_ascii()));
            entries.push(Entry { balance: RECORDED.0, ..entry.ok_or_else(is_none)? });
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
        let numbered = Some((Producer { id: ProducerId(4), epoch: 1 }, 2));
        let one = batch(NewBatch { message: MessageId(7), effect: EFFECT, by: BY, numbered }, false).unwrap();
        let sent = |bytes: Bytes| Sent { bytes, aborted: Vec::new() };
        let two = [&one[..], &one[..one.len() - 1]].concat();
        let (entries, next) = read(sent(two.into()), 0).unwrap();
        let [it] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((it.message, it.account, it.amount, it.by, next), (MessageId(7), AccountId(3), -5, BY, 1));
        assert_eq!(read(sent(one), 1).unwrap(), (Vec::new(), 1), "it lies before what was asked for");
        assert_eq!(read(sent(Bytes::new()), 9).unwrap(), (Vec::new(), 9));
    }

    #[test]
    fn what_an_aborted_transaction_has_written_is_no_entry() {
        let numbered = Some((Producer { id: ProducerId(4), epoch: 1 }, 2));
        let of = NewBatch { message: MessageId(7), effect: EFFECT, by: BY, numbered };
        let bytes = batch(of, true).unwrap();
        let read = |aborted: &[(i64, i64)]| read(Sent { bytes: bytes.clone(), aborted: aborted.into() }, 0).unwrap();
        assert!(read(&[(4, 0)]).0.is_empty());
        assert_eq!(read(&[]).0.len(), 1);
        assert_eq!(read(&[(4, 1), (5, 0)]).0.len(), 1, "one that begins later, and another's");
    }

    #[test]
    fn what_the_lab_has_not_written_is_an_error() {
        let sent = |bytes: Bytes| Sent { bytes, aborted: Vec::new() };
        let of = |text: &str| read(sent(batch_of(text.to_owned(), None, false).unwrap()), 0);
        assert_eq!(of("m7 -5 to 3 by 1.2").unwrap().0.len(), 1);
        let said = of("hello").unwrap_err().to_string();
        assert!(said.contains("'hello' is not an entry") && said.contains("let nothing else write"), "{said}");
    }
}
