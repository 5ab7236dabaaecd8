//! The embedded lock server: speaks etcd's gRPC over loopback, inside this process, so that an unmodified etcd client
//! can be used where no etcd is installed.
//!
//! It is a shell around [`crate::service::etcd::model`]: it carries messages to the model, lets time pass for it, and wakes
//! the calls whose turn has come. What it answers is the model's affair alone.

mod routes;
mod service;
mod wire;

use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::service::etcd::model::{LockModelFlaw, LockService, MIN_TTL_S};
use crate::service::{BackendError, Endpoint, password};
use routes::{Guard, Routes};
use service::EmbeddedService;

/// What the server says its version is: the etcd whose semantics it has.
pub const EMBEDDED_VERSION: &str = concat!("3.5 (oncelab ", env!("CARGO_PKG_VERSION"), ", embedded)");

/// How an embedded lock server behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbeddedOptions {
    /// How many seconds of a lease pass in a second; 1 is real time.
    pub clock_speed: f64,
    /// No lease is granted for less.
    pub min_ttl_s: i64,
    /// A deliberate mistake, for tests of what must find it.
    pub flaw: Option<LockModelFlaw>,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        EmbeddedOptions { clock_speed: 1.0, min_ttl_s: MIN_TTL_S, flaw: None }
    }
}

/// A running embedded lock server. Dropped, it is gone as if killed: its connections are cut and its state is lost.
#[derive(Debug)]
pub struct EmbeddedLockServer {
    endpoint: Endpoint,
    options: EmbeddedOptions,
    // Held for what happens when they are dropped.
    _accepting: AbortOnDropHandle<()>,
    _expiring: AbortOnDropHandle<()>,
}

impl EmbeddedLockServer {
    /// Starts a server on a free port of the loopback interface, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// If the clock's speed is not a positive number, there is no runtime, or no port can be had.
    pub fn start(options: EmbeddedOptions) -> Result<Self, BackendError> {
        if !(options.clock_speed.is_finite() && options.clock_speed > 0.0) {
            let what = format!("the clock cannot run at {} times its speed", options.clock_speed);
            return Err(trouble(what, "give a clock speed above 0, e.g. 20"));
        }
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|error| trouble(error.to_string(), "start the embedded lock server inside a tokio runtime"))?;
        let no_port = |error: std::io::Error| {
            trouble(format!("cannot listen on the loopback interface: {error}"), "check that 127.0.0.1 is up")
        };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_port)?;
        listener.set_nonblocking(true).map_err(no_port)?;
        let listener = TcpListener::from_std(listener).map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;

        let mut model = LockService::new(options.min_ttl_s);
        if let Some(flaw) = options.flaw {
            model = model.with_flaw(flaw);
        }
        let service = Arc::new(EmbeddedService::new(model, options.clock_speed));
        let expiring = runtime.spawn(expire(Arc::clone(&service)));
        // Other users of this machine reach the loopback interface as well.
        let guard = Guard { name: "oncelab".to_owned(), password: password::draw(), token: password::draw() };
        let endpoint = Endpoint::from(format!("http://{address}")).asked_by(&guard.name, &guard.password);
        let accepting = runtime.spawn(accept(listener, Routes::new(service, guard)));
        Ok(EmbeddedLockServer {
            endpoint,
            options,
            _accepting: AbortOnDropHandle::new(accepting),
            _expiring: AbortOnDropHandle::new(expiring),
        })
    }

    /// Where clients connect to, e.g. `http://127.0.0.1:40123`, and the user whom the server listens to: it knows no other.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// Settings that matter, for `meta.json`.
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        let mut settings = vec![
            ("lock_server".to_owned(), format!("embedded, etcd {EMBEDDED_VERSION}")),
            ("lock_clock_speed".to_owned(), self.options.clock_speed.to_string()),
            ("lock_min_ttl_s".to_owned(), self.options.min_ttl_s.to_string()),
        ];
        if let Some(flaw) = self.options.flaw {
            settings.push(("lock_flaw".to_owned(), format!("{flaw:?}")));
        }
        settings
    }
}

/// Ends leases when their time has come, also when nobody calls.
async fn expire(service: Arc<EmbeddedService>) {
    loop {
        let wake = service.next_wake();
        tokio::select! {
            () = service.woken_earlier() => {}
            () = async { match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            } } => service.tick(),
        }
    }
}

/// Serves connections until it is dropped, and the connections with it.
async fn accept(listener: TcpListener, routes: Routes) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, routes.clone())); }
                // Out of file descriptors, most likely: the connections that close will free some.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
            // Only so that the ends of connections do not pile up.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, routes: Routes) {
    // A small message must not wait for the acknowledgement of the one before. Without the option it is merely slower.
    let _ = stream.set_nodelay(true);
    let mut http = http2::Builder::new(TokioExecutor::new());
    // As etcd does. A cancelled wait for a lock is a reset stream, and many of them are not an attack here.
    http.max_concurrent_streams(u32::MAX).max_pending_accept_reset_streams(1 << 16).max_local_error_reset_streams(None);
    // How a connection ended is its client's concern, who sees it too.
    let _ = http.serve_connection(TokioIo::new(stream), routes).await;
}

fn trouble(what: String, remedy: &str) -> BackendError {
    BackendError { backend: "embedded lock server", what, remedy: Some(remedy.to_owned()) }
}
