//! The server before the handlers: makes deliveries of requests, and answers of replies.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::desk::FrontDesk;
use crate::fault::MessageFate;
use crate::load::network::{Answered, HttpExchange, Parcel, ReplyTo};
use crate::service::http::exchange::{Unfit, answer, answer_unfit, from_http, require};
use crate::service::http::{Arrived, Refused, Treatment, Treats};
use crate::strategy::Strategy;
use crate::terms::HttpForm;

pub(super) struct Origin {
    pub desk: Arc<FrontDesk>,
    pub strategy: Arc<dyn Strategy>,
    /// Whether the lab's proxy stands before it, and says which delivery of a message it forwards.
    pub is_behind_proxy: bool,
}

impl Origin {
    /// Puts what has arrived into a handler's inbox.
    ///
    /// # Errors
    /// [`Unfit`] if it is no request to this strategy.
    fn accept(&self, arrived: &Arrived, exchange: HttpExchange) -> Result<HttpForm, Unfit> {
        let (request, form, claimed) = from_http(&arrived.head, &arrived.body)?;
        require(form, self.strategy.http_form(&request))?;
        self.desk.count_at_server();
        let delivery = if self.is_behind_proxy { claimed } else { self.desk.arrived(request.id, claimed) };
        let hang_up = self.desk.sender_of(request.id, delivery);
        let course = self.desk.network.course(request.id, delivery);
        let loses_reply = self.is_behind_proxy && course.fate == MessageFate::ReplyLost;
        let reply_to = ReplyTo::Exchange(HttpExchange { hang_up, ..exchange });
        // What was late or delayed has been so already.
        self.desk.network.deliver(Parcel { request, delivery, loses_reply, reply_to }, course.handler, None);
        Ok(form)
    }
}

/// An exchange that the server is at. hyper drops it when its sender leaves.
struct Leaving<'d> {
    desk: &'d FrontDesk,
    left: CancellationToken,
    is_over: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.desk.count_dropped();
        }
        self.left.cancel();
    }
}

impl Treats for Origin {
    async fn treat(&self, arrived: Arrived) -> Treatment {
        if let Some(refusal) = self.desk.refusal(arrived.head.headers()) {
            return Treatment::Answer(refusal);
        }
        let (reply, replied) = oneshot::channel();
        let mut leaving = Leaving { desk: &self.desk, left: CancellationToken::new(), is_over: false };
        let left = leaving.left.clone();
        let form = match self.accept(&arrived, HttpExchange { reply, hang_up: None, left }) {
            Ok(form) => form,
            Err(unfit) => {
                leaving.is_over = true;
                return Treatment::Answer(answer_unfit(&unfit));
            }
        };
        let replied = replied.await;
        leaving.is_over = true;
        match replied {
            Ok(Answered { message, delivery, handler, reply }) => {
                Treatment::Answer(answer(reply, form, handler, (message, delivery)))
            }
            // The handler has crashed.
            Err(_) => Treatment::Drop,
        }
    }

    /// What no client of the lab sends is answered, and concerns nobody else.
    fn refused(&self, _: Refused) {}
}
