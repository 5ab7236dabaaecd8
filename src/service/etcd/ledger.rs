//! The ledger that etcd keeps: read in a range of keys once everything has settled, in the order of revisions.

use std::time::Duration;

use etcd_client::{Client, Compare, CompareOp, DeleteOptions, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};

use super::LockResponse;
use super::driver::{EtcdBackend, client, trouble};
use super::records::{self, ENTRIES, EntryKey};
use crate::service::{BackendError, Endpoint, Pending, Scope, Store};
use crate::terms::{Balances, Delivery, Effect, Entry, MessageId};

/// How long a member may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing may come any more before nothing is under way.
const QUIET: Duration = Duration::from_millis(50);

/// What to do about a member that does not answer.
const REMEDY: &str = "check that etcd runs there";

/// Records an effect once, in one transaction.
pub(super) async fn record_once(
    client: &mut Client,
    prefix: &str,
    (message, effect): (MessageId, Effect),
    by: Delivery,
) -> Result<LockResponse, etcd_client::Error> {
    let mark = format!("{prefix}/{}", records::mark_key(message));
    let answer = records::answer(effect);
    let is_new = Compare::create_revision(mark.clone(), CompareOp::Equal, 0);
    let put = [TxnOp::put(mark.clone(), answer.0.to_string(), None), put_entry(prefix, message, effect, by)];
    let txn = Txn::new().when([is_new]).and_then(put).or_else([TxnOp::get(mark, None)]);
    let done = client.txn(txn).await?;
    if done.succeeded() {
        return Ok(LockResponse::Recorded(answer));
    }
    let read = done.op_responses().into_iter().find_map(|response| match response {
        TxnOpResponse::Get(read) => read.kvs().first().and_then(|found| records::read_answer(found.value())),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    });
    let no_answer =
        || etcd_client::Error::InvalidArgs("a key of the run has a value that the lab has not put".to_owned());
    read.map(LockResponse::Found).ok_or_else(no_answer)
}

/// Records an effect, whatever there is already.
pub(super) async fn record(
    client: &mut Client,
    prefix: &str,
    (message, effect): (MessageId, Effect),
    by: Delivery,
) -> Result<LockResponse, etcd_client::Error> {
    client.txn(Txn::new().and_then([put_entry(prefix, message, effect, by)])).await?;
    Ok(LockResponse::Recorded(records::answer(effect)))
}

fn put_entry(prefix: &str, message: MessageId, effect: Effect, by: Delivery) -> TxnOp {
    let key = format!("{prefix}/{}", records::entry_key(message, by));
    TxnOp::put(key, records::entry_value(effect), None)
}

/// The entries of these messages under a prefix, in their order.
///
/// # Errors
/// [`BackendError`] if the member does not answer, or something else has written there.
pub(super) async fn read(
    client: &mut Client,
    endpoint: &Endpoint,
    prefix: &str,
    of: &Scope,
) -> Result<Vec<Entry>, BackendError> {
    let (first, last) = of.messages;
    let bound = |id: i64| u32::try_from(id.max(0)).unwrap_or(u32::MAX);
    // A zero comes right after a slash: this is behind the last message's entries, and before the next one's.
    let from = format!("{prefix}/{ENTRIES}{:010}/", bound(first));
    let to = format!("{prefix}/{ENTRIES}{:010}0", bound(last));
    let found = answered(endpoint, client.get(from, Some(GetOptions::new().with_range(to)))).await?;
    let mut entries = Vec::new();
    for key in found.kvs() {
        entries.extend(entries_of(key, prefix).ok_or_else(|| {
            let name = String::from_utf8_lossy(key.key()).escape_debug().to_string();
            trouble(
                format!("{endpoint}: the key {name} is no entry of a ledger"),
                "let nothing else write under oncelab/",
            )
        })?);
    }
    entries.sort_by_key(|(revision, _)| *revision);
    Ok((1..).zip(entries).map(|(number, (_, entry))| Entry { number, ..entry }).collect())
}

fn entries_of(key: &KeyValue, prefix: &str) -> Option<impl Iterator<Item = (i64, Entry)>> {
    records::puts_of(EntryKey {
        name: key.key_str().ok()?.strip_prefix(prefix)?.strip_prefix('/')?,
        value: key.value_str().ok()?,
        create_revision: key.create_revision(),
        mod_revision: key.mod_revision(),
        version: key.version(),
    })
}

/// Removes every key under a prefix.
///
/// # Errors
/// [`BackendError`] if the member does not answer.
pub(super) async fn clear(client: &mut Client, endpoint: &Endpoint, prefix: &str) -> Result<(), BackendError> {
    let every = Some(DeleteOptions::new().with_prefix());
    answered(endpoint, client.delete(format!("{prefix}/"), every)).await.map(drop)
}

async fn answered<T>(
    endpoint: &Endpoint,
    asked: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, BackendError> {
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(answer) => answer.map_err(|error| trouble(format!("{endpoint}: {error}"), REMEDY)),
        Err(_elapsed) => Err(trouble(format!("no answer from {endpoint}"), REMEDY)),
    }
}

impl Store for EtcdBackend {
    fn reset(&self, _: u32) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let (endpoint, options) = self.of_the_lab();
            let mut client = answered(endpoint, client(endpoint, options)).await?;
            clear(&mut client, endpoint, &options.prefix).await
        })
    }

    /// A member goes on with what it was sent when the connection has been closed. Nothing is under way when nothing has been written for
    /// a while.
    fn quiesce(&self) -> Pending<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let (endpoint, options) = self.of_the_lab();
            let mut client = answered(endpoint, client(endpoint, options)).await?;
            let mut seen = None;
            loop {
                let newest = GetOptions::new()
                    .with_prefix()
                    .with_sort(etcd_client::SortTarget::Mod, etcd_client::SortOrder::Descend)
                    .with_limit(1);
                let read = answered(endpoint, client.get(format!("{}/", options.prefix), Some(newest))).await?;
                let revision = read.kvs().first().map(KeyValue::mod_revision);
                if seen == Some(revision) {
                    return Ok(());
                }
                seen = Some(revision);
                tokio::time::sleep(QUIET).await;
            }
        })
    }

    fn ledger(&self) -> Pending<'_, Result<Vec<Entry>, BackendError>> {
        Box::pin(async move {
            let (endpoint, options) = self.of_the_lab();
            let mut client = answered(endpoint, client(endpoint, options)).await?;
            read(&mut client, endpoint, &options.prefix, &Scope::EVERYTHING).await
        })
    }

    /// An entry of its ledger is all that there is.
    fn balances(&self) -> Pending<'_, Result<Balances, BackendError>> {
        Box::pin(std::future::ready(Ok(Balances::default())))
    }
}
