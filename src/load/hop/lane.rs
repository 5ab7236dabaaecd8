//! A client's end of the hop: one connection, and one request at a time over it.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::fault::Alarm;
use crate::load::network::Answered;
use crate::service::BackendError;
use crate::service::http::exchange::{delivery_of, handler_of, outcome, to_http};
use crate::service::http::{HttpConnection, NoAnswer, Peer};
use crate::strategy::Strategy;
use crate::terms::{Delivery, Request, Role};

pub(in crate::load) struct HopLane {
    pub peer: Peer,
    pub strategy: Arc<dyn Strategy>,
    pub alarm: Alarm,
    pub connection: Option<HttpConnection>,
}

impl HopLane {
    /// Sends one attempt, once, and waits for its answer. There is none if the connection is closed, or if the client waits for too long
    /// and leaves.
    pub async fn ask(&mut self, request: &Request, attempt: u8, deadline: Instant) -> Option<Answered> {
        // Taken out: whatever comes between, the connection is not used again.
        let connection = self.connection.take();
        let (connection, answered) =
            timeout_at(deadline, self.exchange(connection, request, attempt)).await.ok()?.ok()?;
        self.connection = Some(connection);
        answered
    }

    async fn exchange(
        &self,
        connection: Option<HttpConnection>,
        request: &Request,
        attempt: u8,
    ) -> Result<(HttpConnection, Option<Answered>), NoAnswer> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => HttpConnection::open(&self.peer).await?,
        };
        let sent = Delivery { attempt, copy: 0 };
        let answer = connection.ask(to_http(request, self.strategy.http_form(request), sent)).await?;
        // What a proxy answers by itself comes from no handler.
        let (message, delivery) = delivery_of(answer.headers()).unwrap_or((request.id, sent));
        let handler = handler_of(answer.headers());
        let answered = match outcome(answer.status(), answer.body()) {
            Ok(reply) => Some(Answered { message, delivery, handler, reply }),
            Err(strange) => {
                let peer = &self.peer.authority;
                self.alarm.raise(
                    Role::STORE,
                    BackendError {
                        backend: "http",
                        what: format!("{peer}: {strange}"),
                        remedy: Some("see where the proxy on the way forwards to, and what it lets through".to_owned()),
                    },
                );
                None
            }
        };
        Ok((connection, answered))
    }
}
