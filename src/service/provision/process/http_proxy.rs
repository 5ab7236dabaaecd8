//! A real HTTP proxy as a process, on a port of the loopback interface, with the configuration that `experiments/repeaters` measures.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::TcpStream;

use super::{Home, ServerProcess, clean, end_of, find, unprivileged};
use crate::service::BackendError;
use crate::service::provision::{Keeps, START_TIMEOUT, Started, free_port};
use crate::terms::HttpProxy;

const NGINX: &str = include_str!("../../../../experiments/repeaters/proxies/nginx.conf");
const HAPROXY: &str = include_str!("../../../../experiments/repeaters/proxies/haproxy.cfg");

/// The program of a proxy.
///
/// # Errors
/// [`BackendError`] names the package that has it, if it is not installed.
fn installed(proxy: HttpProxy) -> Result<PathBuf, BackendError> {
    let program = proxy.program();
    let remedy = format!(
        "install it (Debian: apt-get install {program}), name the URL of a proxy of your own in `via`, or leave `via` out"
    );
    find(program, program).map_err(|error| BackendError { remedy: Some(remedy), ..error })
}

/// What a proxy calls itself, e.g. `nginx version: nginx/1.22.1`.
///
/// # Errors
/// [`BackendError`] if it is not installed.
pub(in crate::service::provision) fn version_of_http_proxy(proxy: HttpProxy) -> Result<String, BackendError> {
    let mut command = Command::new(installed(proxy)?);
    clean(&mut command);
    let said = command.arg("-v").stdin(Stdio::null()).output();
    let said = said.map(|said| [said.stdout, said.stderr].concat()).unwrap_or_default();
    Ok(String::from_utf8_lossy(&said).lines().next().unwrap_or(proxy.program()).trim().to_owned())
}

/// Starts a proxy before two upstreams. It speaks HTTP/1.1 to them, and to its clients too unless it is told otherwise.
pub(in crate::service::provision) async fn http_proxy(
    proxy: HttpProxy,
    upstreams: [SocketAddr; 2],
    speaks_http2: bool,
) -> Result<(Started, SocketAddr), BackendError> {
    let program = proxy.program();
    let failed = |what: String| BackendError {
        backend: program,
        what: format!("the proxy could not be started: {what}"),
        remedy: Some("name your own proxy's URL in `via`, or leave `via` out".to_owned()),
    };
    let binary = installed(proxy)?;
    let user = unprivileged(program)?;
    let home = Home::new(program, user, Keeps::InMemory)?;
    let port = free_port().map_err(|error| failed(error.to_string()))?;
    let folder = home.server.display().to_string();
    let text = configuration(proxy, upstreams, port, speaks_http2, &folder);
    let file = home.secret("configuration", &text, user).map_err(|error| failed(error.to_string()))?;
    let mut command: Command = home.command(&binary, user);
    match proxy {
        HttpProxy::Nginx | HttpProxy::NginxNonIdempotent => command.args(["-e", "stderr", "-c"]).arg(&file),
        HttpProxy::Haproxy | HttpProxy::HaproxyRetry => command.args(["-db", "-f"]).arg(&file),
    };
    let running = home.start(program, command)?;
    let process = ServerProcess {
        backend: program,
        name: program.to_owned(),
        url: format!("http://127.0.0.1:{port}"),
        // Both end at once, and close every connection.
        stop: Signal::TERM,
        running: Mutex::new(running),
        seat: None,
        home,
    };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let deadline = Instant::now() + START_TIMEOUT;
    while let Err(error) = TcpStream::connect(address).await {
        let ended = process.running().child.try_wait().ok().flatten();
        if ended.is_some() || Instant::now() > deadline {
            let said = end_of(&process.running().log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            let how = ended.map_or_else(|| error.to_string(), |status| format!("it ended at once ({status})"));
            return Err(failed(format!("{how}; its log ends: {}", last.join(" | "))));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let how = format!("process {}", binary.display());
    Ok((Started { how, servers: vec![Box::new(process)] }, address))
}

/// Fills in the configuration.
fn configuration(proxy: HttpProxy, [a, b]: [SocketAddr; 2], port: u16, speaks_http2: bool, folder: &str) -> String {
    let (text, second, next, http2) = match proxy {
        HttpProxy::Nginx | HttpProxy::NginxNonIdempotent => {
            let next = "proxy_next_upstream error timeout http_500 http_502 http_503 http_504 http_429 non_idempotent;";
            // More connections than its 512 at a time, which are too few for an experiment with 200 clients.
            let text = NGINX.replace("events {}", "events { worker_connections 8192; }");
            (text, format!("server {b} max_fails=0;"), next, format!("listen 127.0.0.1:{port} http2;"))
        }
        HttpProxy::Haproxy | HttpProxy::HaproxyRetry => {
            let text = format!("{}\n    server b {b}\n", HAPROXY.trim_end());
            (text, String::new(), "retry-on all-retryable-errors", format!("bind 127.0.0.1:{port} proto h2"))
        }
    };
    let repeats_all = matches!(proxy, HttpProxy::NginxNonIdempotent | HttpProxy::HaproxyRetry);
    let next = if repeats_all { next } else { "" };
    let mut text = text
        .replace("@FOLDER@", folder)
        .replace("@ORIGIN@", &a.to_string())
        .replace("@SECOND@", &second)
        .replace("@NEXT@", next)
        .replace("@RETRY@", next);
    for left_out in ["@KEEPALIVE@", "@NOT@", "@WAIT@"] {
        text = text.replace(left_out, "");
    }
    if speaks_http2 {
        text = text.replace("listen 127.0.0.1:@PORT@;", &http2).replace("bind 127.0.0.1:@PORT@", &http2);
    }
    text.replace("@PORT@", &port.to_string())
}

#[cfg(test)]
mod tests {
    use super::configuration;
    use crate::terms::HttpProxy;

    #[test]
    fn every_configuration_is_filled_in() {
        let upstreams = [1001, 1002].map(|port| ([127, 0, 0, 1], port).into());
        for (proxy, name) in HttpProxy::NAMES {
            for speaks_http2 in [false, true] {
                let text = configuration(proxy, upstreams, 1003, speaks_http2, "/home");
                assert!(!text.contains('@'), "{name}: {text}");
                for port in [1001, 1002, 1003] {
                    assert!(text.contains(&format!("127.0.0.1:{port}")), "{name}: {text}");
                }
                let repeats = ["non_idempotent", "all-retryable-errors"].iter().any(|word| text.contains(word));
                assert_eq!(repeats, name.contains('-'), "{name}");
                assert_eq!(text.contains(" http2;") || text.contains("proto h2"), speaks_http2, "{name}: {text}");
            }
        }
    }
}
