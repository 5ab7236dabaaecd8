//! The server at the far end of the hop: a request that has come waits there until a schedule answers it.

use hyper::Response;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::service::http::exchange::{answer, answer_unfit, from_http};
use crate::service::http::{Arrived, Refused, Treatment, Treats};
use crate::service::password;
use crate::terms::{Delivery, HttpForm, MessageId, Reply, Request};

/// A request that has come, as it was read, and whoever waits for its answer.
#[derive(Debug)]
pub(super) struct WaitingRequest {
    pub request: Request,
    pub form: HttpForm,
    pub delivery: Delivery,
    answer: oneshot::Sender<Response<String>>,
    /// The server has let go of it: it is answered, or its client has left.
    pub over: CancellationToken,
}

impl WaitingRequest {
    /// Answers it. False if nobody waits any more.
    pub fn answer(self, message: MessageId, reply: Reply) -> bool {
        self.answer.send(answer(reply, self.form, 0, (message, self.delivery))).is_ok()
    }
}

/// Takes requests in, for whoever has the other end of the channel.
pub(super) struct FarEnd {
    /// Other users of this machine can connect to the loopback interface too.
    credentials: HeaderValue,
    visits: mpsc::UnboundedSender<WaitingRequest>,
}

impl FarEnd {
    /// The far end, what lets in, and what comes.
    pub fn new() -> (Self, HeaderValue, mpsc::UnboundedReceiver<WaitingRequest>) {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", password::draw()));
        let mut credentials = bearer.unwrap_or(HeaderValue::from_static("Bearer"));
        credentials.set_sensitive(true);
        let (visits, comes) = mpsc::unbounded_channel();
        (FarEnd { credentials: credentials.clone(), visits }, credentials, comes)
    }
}

impl Treats for FarEnd {
    async fn treat(&self, arrived: Arrived) -> Treatment {
        if arrived.head.headers().get(AUTHORIZATION) != Some(&self.credentials) {
            let mut refusal = Response::new("this server is for one replay of the lab\n".to_owned());
            *refusal.status_mut() = StatusCode::UNAUTHORIZED;
            refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Treatment::Answer(refusal);
        }
        let (request, form, delivery) = match from_http(&arrived.head, &arrived.body) {
            Ok(read) => read,
            Err(unfit) => return Treatment::Answer(answer_unfit(&unfit)),
        };
        let (answer, answered) = oneshot::channel();
        let over = CancellationToken::new();
        // Dropped with this future: when the answer is out, or the client has left.
        let _over = over.clone().drop_guard();
        // Where nobody is at work any more, nobody answers.
        let _ = self.visits.send(WaitingRequest { request, form, delivery, answer, over });
        match answered.await {
            Ok(response) => Treatment::Answer(response),
            Err(_) => Treatment::Drop,
        }
    }

    /// What no client of the lab sends is answered, and concerns nobody else.
    fn refused(&self, _: Refused) {}
}
