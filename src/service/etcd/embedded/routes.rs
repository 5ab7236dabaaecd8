//! Which method of etcd's services goes where.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use etcd_client::proto::{
    PbAuthenticateRequest, PbAuthenticateResponse, PbCompactionRequest, PbCompactionResponse, PbDeleteRequest,
    PbDeleteResponse, PbKvServer, PbKvService, PbLeaseGrantRequest, PbLeaseGrantResponse, PbLeaseKeepAliveRequest,
    PbLeaseKeepAliveResponse, PbLeaseLeasesRequest, PbLeaseLeasesResponse, PbLeaseRevokeRequest, PbLeaseRevokeResponse,
    PbLeaseServer, PbLeaseService, PbLeaseStatus, PbLeaseTimeToLiveRequest, PbLeaseTimeToLiveResponse, PbLockResponse,
    PbPutRequest, PbPutResponse, PbRangeRequest, PbRangeResponse, PbRangeStreamResponse, PbStatusRequest,
    PbStatusResponse, PbTxnRequest, PbTxnResponse, PbUnlockResponse,
};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codegen::{Service as _, http};
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::service::EmbeddedService;
use super::{EMBEDDED_VERSION, wire};
use crate::terms::LeaseId;

/// A call of `v3lockpb.Lock/Lock`. etcd-client exports the answer, but not the question.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
struct LockRequest {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(int64, tag = "2")]
    lease: i64,
}

/// A call of `v3lockpb.Lock/Unlock`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
struct UnlockRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// Who may call, and how a call shows it: with the token that the right name and password are answered with.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Guard {
    pub name: String,
    pub password: String,
    pub token: String,
}

/// The header that holds a call's token, as etcd has it.
const TOKEN: &str = "token";

/// The call that needs no token.
const AUTHENTICATE: &str = "/etcdserverpb.Auth/Authenticate";

/// All services on one connection. By hand and not with tonic's router, which would cost every call a walk through a
/// general-purpose web framework, and whose connections outlive the server.
#[derive(Clone)]
pub(super) struct Routes {
    guard: Arc<Guard>,
    handler: Route,
    kv: PbKvServer<Route>,
    lease: PbLeaseServer<Route>,
}

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Body>, std::convert::Infallible>> + Send>>;

impl Routes {
    pub(super) fn new(service: Arc<EmbeddedService>, guard: Guard) -> Self {
        let handler = Route(service);
        Routes {
            guard: Arc::new(guard),
            kv: PbKvServer::new(handler.clone()),
            lease: PbLeaseServer::new(handler.clone()),
            handler,
        }
    }
}

impl hyper::service::Service<http::Request<Incoming>> for Routes {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Answering;

    fn call(&self, request: http::Request<Incoming>) -> Answering {
        let token = request.headers().get(TOKEN).map(http::HeaderValue::as_bytes);
        match request.uri().path() {
            AUTHENTICATE => {
                let method =
                    AuthenticateMethod { guard: Arc::clone(&self.guard), service: Arc::clone(&self.handler.0) };
                unary(method, request)
            }
            _ if token != Some(self.guard.token.as_bytes()) => refuse(Status::unauthenticated(NO_TOKEN)),
            "/v3lockpb.Lock/Lock" => unary(LockMethod(self.handler.clone()), request),
            "/v3lockpb.Lock/Unlock" => unary(UnlockMethod(self.handler.clone()), request),
            "/etcdserverpb.Maintenance/Status" => unary(StatusMethod(self.handler.clone()), request),
            path if path.starts_with("/etcdserverpb.KV/") => self.kv.clone().call(request),
            path if path.starts_with("/etcdserverpb.Lease/") => self.lease.clone().call(request),
            path => refuse(unimplemented(path)),
        }
    }
}

fn unary<Q, A, S>(method: S, request: http::Request<Incoming>) -> Answering
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Default + Send + 'static,
    S: UnaryService<Q, Response = A> + Send + 'static,
    S::Future: Send,
{
    Box::pin(async { Ok(Grpc::new(ProstCodec::<A, Q>::default()).unary(method, request).await) })
}

/// In etcd's words.
const NO_TOKEN: &str = "etcdserver: invalid auth token";

fn refuse(status: Status) -> Answering {
    let answer = status.into_http();
    Box::pin(async { Ok(answer) })
}

struct AuthenticateMethod {
    guard: Arc<Guard>,
    service: Arc<EmbeddedService>,
}

impl UnaryService<PbAuthenticateRequest> for AuthenticateMethod {
    type Response = PbAuthenticateResponse;
    type Future = std::future::Ready<Result<Response<PbAuthenticateResponse>, Status>>;

    fn call(&mut self, request: Request<PbAuthenticateRequest>) -> Self::Future {
        let PbAuthenticateRequest { name, password } = request.into_inner();
        std::future::ready(if name == self.guard.name && password == self.guard.password {
            let header = wire::header(self.service.call(|model| model.revision()));
            Ok(Response::new(PbAuthenticateResponse { header, token: self.guard.token.clone() }))
        } else {
            Err(Status::invalid_argument("etcdserver: authentication failed, invalid user ID or password"))
        })
    }
}

fn unimplemented(path: &str) -> Status {
    Status::unimplemented(format!("the embedded lock server does not know {path}"))
}

/// Answers calls from the service.
#[derive(Clone)]
struct Route(Arc<EmbeddedService>);

/// Declares the service of one method that has no generated server.
macro_rules! method {
    ($name:ident: $question:ty => $answer:ty, |$service:ident, $request:ident| $body:expr) => {
        struct $name(Route);

        impl UnaryService<$question> for $name {
            type Response = $answer;
            type Future = Pin<Box<dyn Future<Output = Result<Response<$answer>, Status>> + Send>>;

            fn call(&mut self, request: Request<$question>) -> Self::Future {
                let $service = Arc::clone(&self.0.0);
                let $request = request.into_inner();
                Box::pin(async move { $body })
            }
        }
    };
}

method! { LockMethod: LockRequest => PbLockResponse, |service, request| {
    let held = service.lock(&request.name, wire::lease_id(request.lease)).await.map_err(wire::lock_status)?;
    Ok(Response::new(PbLockResponse { header: wire::header(held.revision), key: held.key }))
} }

method! { UnlockMethod: UnlockRequest => PbUnlockResponse, |service, request| {
    let deleted = service.call(|model| model.unlock(&request.key)).map_err(wire::lock_status)?;
    Ok(Response::new(PbUnlockResponse { header: wire::header(deleted.revision) }))
} }

method! { StatusMethod: PbStatusRequest => PbStatusResponse, |service, _request| {
    let header = wire::header(service.call(|model| model.revision()));
    Ok(Response::new(PbStatusResponse { header, version: EMBEDDED_VERSION.to_owned(), leader: 1, ..Default::default() }))
} }

#[tonic::async_trait]
impl PbKvService for Route {
    type RangeStreamStream = BoxStream<'static, Result<PbRangeStreamResponse, Status>>;

    async fn range(&self, request: Request<PbRangeRequest>) -> Result<Response<PbRangeResponse>, Status> {
        let query = wire::query(request.into_inner())?;
        let result = self.0.call(|model| model.range(&query)).map_err(wire::status)?;
        let header = wire::header(result.revision);
        Ok(Response::new(wire::range_response(result, header)))
    }

    async fn put(&self, request: Request<PbPutRequest>) -> Result<Response<PbPutResponse>, Status> {
        let wanted = request.get_ref().prev_kv;
        let put = wire::put(request.into_inner())?;
        let result = self.0.call(|model| model.put(put)).map_err(wire::status)?;
        let header = wire::header(result.revision);
        Ok(Response::new(wire::put_response(result, wanted, header)))
    }

    async fn delete_range(&self, request: Request<PbDeleteRequest>) -> Result<Response<PbDeleteResponse>, Status> {
        let wanted = request.get_ref().prev_kv;
        let keys = wire::range_of(request.into_inner());
        let result = self.0.call(|model| model.delete_range(&keys)).map_err(wire::status)?;
        let header = wire::header(result.revision);
        Ok(Response::new(wire::delete_response(result, wanted, header)))
    }

    async fn txn(&self, request: Request<PbTxnRequest>) -> Result<Response<PbTxnResponse>, Status> {
        let (txn, wants) = wire::txn(request.into_inner())?;
        let result = self.0.call(|model| model.txn(txn)).map_err(wire::status)?;
        Ok(Response::new(wire::txn_response(result, &wants)))
    }

    async fn range_stream(&self, _: Request<PbRangeRequest>) -> Result<Response<Self::RangeStreamStream>, Status> {
        Err(unimplemented("/etcdserverpb.KV/RangeStream"))
    }

    async fn compact(&self, _: Request<PbCompactionRequest>) -> Result<Response<PbCompactionResponse>, Status> {
        Err(unimplemented("/etcdserverpb.KV/Compact"))
    }
}

#[tonic::async_trait]
impl PbLeaseService for Route {
    type LeaseKeepAliveStream = BoxStream<'static, Result<PbLeaseKeepAliveResponse, Status>>;

    async fn lease_grant(
        &self,
        request: Request<PbLeaseGrantRequest>,
    ) -> Result<Response<PbLeaseGrantResponse>, Status> {
        let PbLeaseGrantRequest { ttl, id } = request.into_inner();
        let (granted, revision) = self.0.call(|model| (model.grant(wire::lease_id(id), ttl), model.revision()));
        let granted = granted.map_err(wire::status)?;
        let (header, error) = (wire::header(revision), String::new());
        Ok(Response::new(PbLeaseGrantResponse { header, id: granted.id.0, ttl: granted.ttl_s, error }))
    }

    async fn lease_revoke(
        &self,
        request: Request<PbLeaseRevokeRequest>,
    ) -> Result<Response<PbLeaseRevokeResponse>, Status> {
        let id = LeaseId(request.into_inner().id);
        let (revoked, revision) = self.0.call(|model| (model.revoke(id), model.revision()));
        revoked.map_err(wire::status)?;
        Ok(Response::new(PbLeaseRevokeResponse { header: wire::header(revision) }))
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<PbLeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let service = Arc::clone(&self.0);
        let answers = request.into_inner().map(move |question| {
            let id = question?.id;
            let (ttl, revision) = service.call(|model| (model.keep_alive(LeaseId(id)), model.revision()));
            Ok(PbLeaseKeepAliveResponse { header: wire::header(revision), id, ttl: ttl.unwrap_or(0) })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<PbLeaseTimeToLiveRequest>,
    ) -> Result<Response<PbLeaseTimeToLiveResponse>, Status> {
        let PbLeaseTimeToLiveRequest { id, keys: keys_wanted } = request.into_inner();
        let (found, revision) = self.0.call(|model| (model.time_to_live(LeaseId(id)), model.revision()));
        let header = wire::header(revision);
        Ok(Response::new(match found {
            Some(lease) => PbLeaseTimeToLiveResponse {
                header,
                id,
                ttl: lease.remaining_s,
                granted_ttl: lease.granted_ttl_s,
                keys: if keys_wanted { lease.keys } else { Vec::new() },
            },
            None => PbLeaseTimeToLiveResponse { header, id, ttl: -1, ..Default::default() },
        }))
    }

    async fn lease_leases(&self, _: Request<PbLeaseLeasesRequest>) -> Result<Response<PbLeaseLeasesResponse>, Status> {
        let (leases, revision) = self.0.call(|model| {
            let leases = model.leases().map(|lease| PbLeaseStatus { id: lease.0 }).collect();
            (leases, model.revision())
        });
        Ok(Response::new(PbLeaseLeasesResponse { header: wire::header(revision), leases }))
    }
}
