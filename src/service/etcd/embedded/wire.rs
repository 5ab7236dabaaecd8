//! Between etcd's messages and the model's plain data.

use etcd_client::proto::{
    PbCompare, PbCompareTarget, PbDeleteRequest, PbDeleteResponse, PbKeyValue, PbPutRequest, PbPutResponse,
    PbRangeRequest, PbRangeResponse, PbResponseHeader, PbResponseOp, PbTargetUnion, PbTxnOpRequest, PbTxnOpResponse,
    PbTxnRequest, PbTxnRequestOp, PbTxnResponse,
};
use tonic::{Code, Status};

use crate::service::etcd::model::{
    Attach, DeleteResult, KeyRange, KeyValue, Put, PutResult, Query, RangeResult, Refusal, SortBy, Txn, TxnCompare,
    TxnOp, TxnOpResult, TxnRelation, TxnResult, TxnTarget,
};
use crate::terms::LeaseId;

/// The header of a response. The cluster is of one member, which was elected once.
pub(super) fn header(revision: i64) -> Option<PbResponseHeader> {
    Some(PbResponseHeader { cluster_id: 1, member_id: 1, revision, raft_term: 1 })
}

/// The status that etcd's own services answer with.
pub(super) fn status(refusal: Refusal) -> Status {
    let code = match refusal {
        Refusal::LeaseNotFound => Code::NotFound,
        Refusal::LeaseExists => Code::FailedPrecondition,
        Refusal::LeaseTtlTooLarge | Refusal::Compacted | Refusal::FutureRevision => Code::OutOfRange,
        Refusal::EmptyKey | Refusal::KeyNotFound | Refusal::DuplicateKey | Refusal::TooManyOps => Code::InvalidArgument,
        Refusal::SessionExpired => Code::Unknown,
    };
    Status::new(code, refusal.to_string())
}

/// The status that etcd's lock service answers with: it is built on etcd's Go client, whose errors carry no code.
pub(super) fn lock_status(refusal: Refusal) -> Status {
    Status::unknown(refusal.to_string())
}

/// A lease id as it travels: 0 is none.
pub(super) fn lease_id(id: i64) -> Option<LeaseId> {
    (id != 0).then_some(LeaseId(id))
}

pub(super) fn query(request: PbRangeRequest) -> Result<Query, Status> {
    let sort_by = match request.sort_target {
        0 => SortBy::Key,
        1 => SortBy::Version,
        2 => SortBy::CreateRevision,
        3 => SortBy::ModRevision,
        4 => SortBy::Value,
        _ => return Err(invalid("sort target")),
    };
    Ok(Query {
        keys: KeyRange { start: request.key, end: request.range_end },
        revision: request.revision,
        limit: usize::try_from(request.limit).unwrap_or(0),
        sort_by: Some(sort_by),
        descending: request.sort_order == 2,
        min_mod_revision: request.min_mod_revision,
        max_mod_revision: request.max_mod_revision,
        min_create_revision: request.min_create_revision,
        max_create_revision: request.max_create_revision,
        keys_only: request.keys_only,
        count_only: request.count_only,
    })
}

pub(super) fn put(request: PbPutRequest) -> Result<Put, Status> {
    if request.ignore_value && !request.value.is_empty() {
        return Err(Status::invalid_argument("etcdserver: value is provided"));
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(Status::invalid_argument("etcdserver: lease is provided"));
    }
    Ok(Put {
        key: request.key,
        value: (!request.ignore_value).then_some(request.value),
        lease: if request.ignore_lease { Attach::Keep } else { Attach::To(lease_id(request.lease)) },
    })
}

pub(super) fn range_of(request: PbDeleteRequest) -> KeyRange {
    KeyRange { start: request.key, end: request.range_end }
}

/// The transaction, and for each of its operations whether the answer shall hold the keys as they were before.
pub(super) fn txn(request: PbTxnRequest) -> Result<(Txn, Wants), Status> {
    let (success, wants_on_success) = branch(request.success)?;
    let (failure, wants_on_failure) = branch(request.failure)?;
    let compare = request.compare.into_iter().map(compare).collect::<Result<_, _>>()?;
    Ok((Txn { compare, success, failure }, Wants { on_success: wants_on_success, on_failure: wants_on_failure }))
}

/// Which operations of a transaction shall answer with the keys as they were before.
pub(super) struct Wants {
    on_success: Vec<bool>,
    on_failure: Vec<bool>,
}

fn branch(ops: Vec<PbTxnRequestOp>) -> Result<(Vec<TxnOp>, Vec<bool>), Status> {
    let op = |op: PbTxnRequestOp| match op.request {
        Some(PbTxnOpRequest::RequestRange(request)) => Ok((TxnOp::Range(query(request)?), false)),
        Some(PbTxnOpRequest::RequestPut(request)) => {
            let wanted = request.prev_kv;
            Ok((TxnOp::Put(put(request)?), wanted))
        }
        Some(PbTxnOpRequest::RequestDeleteRange(request)) => {
            let wanted = request.prev_kv;
            Ok((TxnOp::Delete(range_of(request)), wanted))
        }
        Some(PbTxnOpRequest::RequestTxn(_)) => {
            Err(Status::unimplemented("the embedded lock server takes no transaction within a transaction"))
        }
        None => Err(Status::invalid_argument("etcdserver: key not found")),
    };
    ops.into_iter().map(op).collect()
}

fn compare(compare: PbCompare) -> Result<TxnCompare, Status> {
    let relation = match compare.result {
        0 => TxnRelation::Equal,
        1 => TxnRelation::Greater,
        2 => TxnRelation::Less,
        3 => TxnRelation::NotEqual,
        _ => return Err(invalid("relation of a comparison")),
    };
    let property = PbCompareTarget::try_from(compare.target).map_err(|_| invalid("target of a comparison"))?;
    // As in etcd, a missing or foreign right-hand side is zero.
    let target = match (property, compare.target_union) {
        (PbCompareTarget::Version, Some(PbTargetUnion::Version(version))) => TxnTarget::Version(version),
        (PbCompareTarget::Version, _) => TxnTarget::Version(0),
        (PbCompareTarget::Create, Some(PbTargetUnion::CreateRevision(revision))) => TxnTarget::CreateRevision(revision),
        (PbCompareTarget::Create, _) => TxnTarget::CreateRevision(0),
        (PbCompareTarget::Mod, Some(PbTargetUnion::ModRevision(revision))) => TxnTarget::ModRevision(revision),
        (PbCompareTarget::Mod, _) => TxnTarget::ModRevision(0),
        (PbCompareTarget::Value, Some(PbTargetUnion::Value(value))) => TxnTarget::Value(value),
        (PbCompareTarget::Value, _) => TxnTarget::Value(Vec::new()),
        (PbCompareTarget::Lease, Some(PbTargetUnion::Lease(lease))) => TxnTarget::Lease(LeaseId(lease)),
        (PbCompareTarget::Lease, _) => TxnTarget::Lease(LeaseId(0)),
    };
    Ok(TxnCompare { keys: KeyRange { start: compare.key, end: compare.range_end }, relation, target })
}

fn key_value(key_value: KeyValue) -> PbKeyValue {
    let KeyValue { key, value, create_revision, mod_revision, version, lease } = key_value;
    PbKeyValue { key, value, create_revision, mod_revision, version, lease: lease.map_or(0, |lease| lease.0) }
}

pub(super) fn range_response(result: RangeResult, header: Option<PbResponseHeader>) -> PbRangeResponse {
    let RangeResult { found, count, more, .. } = result;
    PbRangeResponse { header, kvs: found.into_iter().map(key_value).collect(), more, count: count as i64 }
}

pub(super) fn put_response(result: PutResult, wanted: bool, header: Option<PbResponseHeader>) -> PbPutResponse {
    PbPutResponse { header, prev_kv: result.previous.filter(|_| wanted).map(key_value) }
}

pub(super) fn delete_response(
    result: DeleteResult,
    wanted: bool,
    header: Option<PbResponseHeader>,
) -> PbDeleteResponse {
    let deleted = result.deleted.len() as i64;
    let prev_kvs = if wanted { result.deleted.into_iter().map(key_value).collect() } else { Vec::new() };
    PbDeleteResponse { header, deleted, prev_kvs }
}

pub(super) fn txn_response(result: TxnResult, wants: &Wants) -> PbTxnResponse {
    let wants = if result.succeeded { &wants.on_success } else { &wants.on_failure };
    let respond = |(result, wanted): (TxnOpResult, &bool)| {
        // Inside a transaction etcd fills in the revision and nothing else.
        let inner = |revision| Some(PbResponseHeader { revision, ..PbResponseHeader::default() });
        let response = match result {
            TxnOpResult::Put(result) => {
                let header = inner(result.revision);
                PbTxnOpResponse::ResponsePut(put_response(result, *wanted, header))
            }
            TxnOpResult::Delete(result) => {
                let header = inner(result.revision);
                PbTxnOpResponse::ResponseDeleteRange(delete_response(result, *wanted, header))
            }
            TxnOpResult::Range(result) => {
                let header = inner(result.revision);
                PbTxnOpResponse::ResponseRange(range_response(result, header))
            }
        };
        PbResponseOp { response: Some(response) }
    };
    PbTxnResponse {
        header: header(result.revision),
        succeeded: result.succeeded,
        responses: result.results.into_iter().zip(wants).map(respond).collect(),
    }
}

fn invalid(what: &str) -> Status {
    Status::invalid_argument(format!("unknown {what}"))
}
