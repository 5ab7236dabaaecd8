//! A backend of which every connection goes through a proxy of its own.

use std::sync::Arc;

use super::{Backend, BackendError, Connection, Pending, Way, spread};
use crate::service::{AnyOp, Outcome};
use crate::terms::Delivery;
use crate::wire::Wire;

/// A backend behind proxies.
pub struct Wired(pub Arc<dyn Backend>);

/// A connection, and its proxy.
struct WiredSession {
    session: Box<dyn Connection>,
    wire: Arc<Wire>,
}

impl Backend for Wired {
    fn connect(&self) -> Pending<'_, Result<Box<dyn Connection>, BackendError>> {
        Box::pin(async {
            let members = self.0.members();
            if !members.is_empty() {
                let wired = members.into_iter().map(|member| Arc::new(Wired(member)) as Arc<dyn Backend>);
                return spread::connect(Arc::clone(&self.0), wired.collect()).await;
            }
            let Some(Way { to, protocol }) = self.0.way() else { return self.0.connect().await };
            let wire = Wire::start(&to, protocol).await.map_err(|error| BackendError {
                backend: "wire",
                what: format!("no proxy could be put before {to}: {error}"),
                remedy: Some("set where = \"port\" in the experiment".to_owned()),
            })?;
            let session = self.0.connect_through(wire.address()).await?;
            Ok(Box::new(WiredSession { session, wire: Arc::new(wire) }) as Box<dyn Connection>)
        })
    }

    fn describe(&self) -> Vec<(String, String)> {
        self.0.describe()
    }
}

impl Connection for WiredSession {
    fn execute_all(&mut self, ops: Vec<(AnyOp, Delivery)>) -> Pending<'_, Result<Vec<Outcome>, BackendError>> {
        self.session.execute_all(ops)
    }

    fn execute(&mut self, op: AnyOp, by: Delivery) -> Pending<'_, Result<Outcome, BackendError>> {
        self.session.execute(op, by)
    }

    fn mends(&self) -> bool {
        self.session.mends()
    }

    fn stand_still(&mut self, still: bool) {
        self.session.stand_still(still);
    }

    fn wire(&self, _: AnyOp) -> Option<Arc<Wire>> {
        Some(Arc::clone(&self.wire))
    }
}
