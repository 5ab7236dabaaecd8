//! The lab's proxy before the server: what the plan says of a delivery happens here to connections.
//!
//! It ends HTTP on both sides, and so need not know how HTTP/2 compresses heads. A request is read whole before its fate is looked up.
//!
//! | fate | what happens |
//! |:--|:--|
//! | request lost | the client's connection is closed; nothing is forwarded |
//! | reply lost | the request is forwarded; its answer is read to the end; then the client's connection is closed |
//! | late | the client's connection is closed; the request is kept, and forwarded later |
//! | duplicated | the request is forwarded twice, over two connections; the client gets the answer that comes first |
//! | delayed | the request is forwarded later |
//! | the handler is cancelled | the connections on both sides are closed |

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::select_ok;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use hyper::{Request, Response};
use tokio::task::JoinHandle;

use super::desk::FrontDesk;
use crate::fault::MessageFate;
use crate::service::http::exchange::{DELIVERY, Unfit, answer_unfit, delivery_of, delivery_value};
use crate::service::http::{Arrived, HttpConnection, Peer, Refused, Treatment, Treats};
use crate::terms::{Delivery, MessageId};

pub(super) struct LabProxy {
    pub desk: Arc<FrontDesk>,
    pub ahead: Arc<Ahead>,
}

/// The way on to the server.
pub(super) struct Ahead {
    pub peer: Peer,
    /// Connections that have brought an answer to its end, and wait for another request.
    pub idle: Mutex<Vec<HttpConnection>>,
}

impl Ahead {
    async fn ask(&self, request: Request<String>) -> Option<Response<String>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => HttpConnection::open(&self.peer).await.ok()?,
        };
        let (head, body) = connection.ask(request).await.ok()?.into_parts();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        let mut answer = Response::new(String::from_utf8(body).ok()?);
        *answer.status_mut() = head.status;
        *answer.headers_mut() = end_to_end(head.headers);
        Some(answer)
    }
}

/// A request on its way through the proxy.
struct Passing {
    request: Request<String>,
    message: MessageId,
    delivery: Delivery,
}

impl LabProxy {
    fn read(&self, arrived: Arrived) -> Result<Passing, Unfit> {
        let (message, claimed) = delivery_of(arrived.head.headers())?;
        let (mut head, ()) = arrived.head.into_parts();
        let no_text = |_| Unfit::Malformed("the body is no text".to_owned());
        let body = String::from_utf8(arrived.body).map_err(no_text)?;
        self.desk.count_at_proxy();
        let delivery = self.desk.arrived(message, claimed);
        head.headers = end_to_end(head.headers);
        // Over HTTP/2 the target came with a scheme and an authority.
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Request::new(body);
        *request.uri_mut() = target.parse().unwrap_or_default();
        *request.method_mut() = head.method;
        *request.headers_mut() = head.headers;
        Ok(Passing { request, message, delivery })
    }

    /// Forwards a delivery, now or later. It goes on when the client leaves meanwhile.
    fn forward(&self, passing: &Passing, delivery: Delivery) -> JoinHandle<Option<Response<String>>> {
        let after = self.desk.network.course(passing.message, delivery).after;
        let mut request = passing.request.clone();
        request.headers_mut().insert(DELIVERY, delivery_value(passing.message, delivery));
        let (desk, ahead, message) = (Arc::clone(&self.desk), Arc::clone(&self.ahead), passing.message);
        let under_way = desk.network.under_way.clone();
        under_way.spawn(async move {
            if let Some(after) = after {
                tokio::time::sleep(after).await;
            }
            let hang_up = desk.can_hang_up(message, delivery);
            tokio::select! {
                biased;
                answer = ahead.ask(request) => answer,
                // Dropped, the connection is closed.
                () = hang_up.cancelled() => None,
            }
        })
    }

    async fn pass(&self, passing: Passing) -> Treatment {
        let course = self.desk.network.course(passing.message, passing.delivery);
        match course.fate {
            MessageFate::RequestLost => Treatment::Drop,
            MessageFate::Late(_) => {
                self.forward(&passing, passing.delivery);
                Treatment::Drop
            }
            MessageFate::ReplyLost => {
                let _lost = self.forward(&passing, passing.delivery).await;
                Treatment::Drop
            }
            // The other body comes from the client, as a request of its own.
            MessageFate::Arrives | MessageFate::OtherBody => {
                heard(self.forward(&passing, passing.delivery).await.ok().flatten())
            }
            MessageFate::Duplicated => self.pass_twice(&passing).await,
        }
    }

    /// The duplicate may meet a fate of its own.
    async fn pass_twice(&self, passing: &Passing) -> Treatment {
        let copy = passing.delivery.repeated(1);
        let first = self.forward(passing, passing.delivery);
        let second = match self.desk.network.course(passing.message, copy).fate {
            MessageFate::RequestLost => None,
            MessageFate::Late(_) | MessageFate::ReplyLost => {
                self.forward(passing, copy);
                None
            }
            MessageFate::Arrives | MessageFate::Duplicated | MessageFate::OtherBody => {
                Some(self.forward(passing, copy))
            }
        };
        let answers = std::iter::once(first)
            .chain(second)
            .map(|forwarded| Box::pin(async move { forwarded.await.ok().flatten().ok_or(()) }));
        heard(select_ok(answers).await.ok().map(|(answer, _)| answer))
    }
}

/// Without an answer the client's connection is closed.
fn heard(answer: Option<Response<String>>) -> Treatment {
    answer.map_or(Treatment::Drop, Treatment::Answer)
}

impl Treats for LabProxy {
    async fn treat(&self, arrived: Arrived) -> Treatment {
        if let Some(refusal) = self.desk.refusal(arrived.head.headers()) {
            return Treatment::Answer(refusal);
        }
        match self.read(arrived) {
            Ok(passing) => self.pass(passing).await,
            Err(unfit) => Treatment::Answer(answer_unfit(&unfit)),
        }
    }

    /// What no client of the lab sends is answered, and concerns nobody else.
    fn refused(&self, _: Refused) {}
}

/// The headers that go on to the other side: those of one connection do not (RFC 9110, section 7.6.1).
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
    headers
}
