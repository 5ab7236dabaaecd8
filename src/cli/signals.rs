//! Signals. The first SIGINT, SIGTERM or SIGHUP asks the lab to stop: it ends what it is at, and undoes what it has made elsewhere.
//! It has a minute for that, and after the second signal a moment; then, or at the third, the process ends, and its guardian stops
//! the servers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::exit;

/// How long the lab has to undo things after the first signal: to stop containers takes some seconds, and what stands still must not keep it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the lab has after the second signal.
const GRACE: Duration = Duration::from_secs(3);

/// How often is looked whether there is still something to undo.
const TICK: Duration = Duration::from_secs(1);

struct Signals {
    stop: CancellationToken,
    /// Whether there is nothing to be undone any more.
    can_end: AtomicBool,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// A token that is cancelled by the first signal.
pub(super) fn stop_on_signals() -> CancellationToken {
    let signals = SIGNALS.get_or_init(|| {
        // A thread of its own: whatever else there is may be ended before the process is. Without it a signal ends the process.
        let (listens, heard) = std::sync::mpsc::channel::<()>();
        let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(move || watch(listens));
        // It comes to an end when the thread listens, or when there is none.
        let _ = heard.recv();
        Signals { stop: CancellationToken::new(), can_end: AtomicBool::new(false) }
    });
    signals.stop.clone()
}

/// Whether there is something elsewhere that must be undone before the process may end. Where there is nothing the first signal ends
/// it: what it writes is written at once or not at all.
pub(super) fn must_undo(must: bool) {
    let _ = stop_on_signals();
    if let Some(signals) = SIGNALS.get() {
        signals.can_end.store(!must, Ordering::Relaxed);
    }
}

fn watch(listens: std::sync::mpsc::Sender<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let mut signalled = Listening::begin();
        drop(listens);
        signalled.next().await;
        let signals = SIGNALS.wait();
        signals.stop.cancel();
        if !signals.can_end.load(Ordering::Relaxed) {
            // What follows when all is undone has no limit: it is the lab's own, and a second signal ends it.
            let mut undoing = Duration::ZERO;
            while undoing < PATIENCE {
                if tokio::time::timeout(TICK, signalled.next()).await.is_ok() {
                    let _ = tokio::time::timeout(GRACE, signalled.next()).await;
                    break;
                }
                if !signals.can_end.load(Ordering::Relaxed) {
                    undoing += TICK;
                }
            }
        }
        std::process::exit(exit::INTERRUPTED.into());
    });
}

struct Listening([Option<tokio::signal::unix::Signal>; 3]);

impl Listening {
    fn begin() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Listening(
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(|kind| signal(kind).ok()),
        )
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            () = one(interrupt) => {}
            () = one(terminate) => {}
            () = one(hang_up) => {}
        }
    }
}
