//! A client's end of the hop: one connection, and one request at a time over it.

use std::sync::Arc;
use std::time::Duration;

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
        let sent = Delivery { attempt, copy: 0 };
        let (connection, answered) = timeout_at(deadline, self.exchange(connection, request, sent)).await.ok()?.ok()?;
        self.connection = Some(connection);
        answered
    }

    /// Another lane to the same place, with a connection of its own.
    pub fn beside(&self) -> HopLane {
        let HopLane { peer, strategy, alarm, .. } = self;
        HopLane { peer: peer.clone(), strategy: Arc::clone(strategy), alarm: alarm.clone(), connection: None }
    }

    /// Uses the id of a request for another body, once. Nobody asks again if there is no answer.
    pub async fn send_other_body(self, request: Request, attempt: u8, patience: Duration) {
        let sent = Delivery { attempt, copy: 0 }.of_other_body();
        let other = request.with_other_body();
        let _answer = timeout_at(Instant::now() + patience, self.exchange(None, &other, sent)).await;
    }

    async fn exchange(
        &self,
        connection: Option<HttpConnection>,
        request: &Request,
        sent: Delivery,
    ) -> Result<(HttpConnection, Option<Answered>), NoAnswer> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => HttpConnection::open(&self.peer).await?,
        };
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
