//! Kafka as a process: Java, and the jars of a Kafka that was unpacked somewhere. It listens on ports of the loopback interface, and lets
//! in only who knows a password.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use rustix::process::Signal;

use super::super::kafka::{BrokerPlaces, BrokerSecrets, HEAP, USER, admin_url, settings, url};
use super::{Home, ServerProcess, as_user, clean, find, unprivileged};
use crate::service::kafka::driver::admit;
use crate::service::provision::{Source, Started, failed, free_port};
use crate::service::{BackendError, password};

/// The variable that names the folder of a Kafka: that with `libs/` in it.
const HOME: &str = "ONCELAB_KAFKA_HOME";

/// What it runs on.
const JAVA: &str = "java";

/// Where a Kafka is, if the environment says so.
fn named() -> Option<PathBuf> {
    std::env::var_os(HOME).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Whether a Kafka can be had.
pub(super) fn is_installed() -> bool {
    named().is_some_and(|home| jars(&home).is_ok()) && find(JAVA, "kafka").is_ok()
}

/// The jars of the Kafka in a folder, as Java takes them.
fn jars(home: &Path) -> Result<OsString, BackendError> {
    let libs = home.join("libs");
    let names = std::fs::read_dir(&libs).into_iter().flatten().flatten().map(|file| file.file_name());
    if names.into_iter().any(|name| name.to_string_lossy().starts_with("kafka-server-")) {
        // The server has a folder of its own.
        let libs = std::path::absolute(&libs).map_err(|error| failed("kafka", &error.to_string()))?;
        return Ok(libs.join("*").into_os_string());
    }
    let what = format!("`kafka` is not installed: there are no jars of a Kafka in {}", libs.display());
    Err(BackendError { backend: "kafka", what, remedy: Some(super::install("kafka").to_owned()) })
}

/// Which Kafka the jars in a folder are, as the name of one of them says. Where the folder is, says nothing of a run.
fn version(folder: &Path) -> Option<String> {
    let names =
        std::fs::read_dir(folder.join("libs")).ok()?.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let mut versions =
        names.filter_map(|name| Some(name.strip_prefix("kafka-server-")?.strip_suffix(".jar")?.to_owned()));
    let version = versions.find(|version| version.starts_with(|first: char| first.is_ascii_digit()))?;
    Some(format!("Kafka {version}"))
}

/// Starts Kafka.
pub(in crate::service::provision) async fn kafka(source: &Source) -> Result<Started, BackendError> {
    let folder = source.kafka_home.clone().or_else(named).ok_or_else(|| BackendError {
        backend: "kafka",
        what: format!("`kafka` is not installed: neither --kafka-home nor {HOME} says where one is"),
        remedy: Some(super::install("kafka").to_owned()),
    })?;
    let jars = jars(&folder)?;
    let java = find(JAVA, "kafka")?;
    let user = unprivileged("kafka")?;
    let home = Home::new("kafka", user, source.keeps)?;
    let cannot = |error: std::io::Error| failed("kafka", &error.to_string());
    let secrets = BrokerSecrets { own: password::draw(), broker: password::draw() };
    let address = format!("127.0.0.1:{}", free_port().map_err(cannot)?);
    let places = BrokerPlaces {
        listens: &address,
        advertises: &address,
        controller: &format!("127.0.0.1:{}", free_port().map_err(cannot)?),
        data: &home.server.join("data").display().to_string(),
    };
    // In a file that nobody else can read: what stands among the arguments of a process everybody can.
    let text: String = settings(&places, &secrets).iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    let settings = home.secret("server.properties", &text, user).map_err(cannot)?;
    let logging = home.secret("log4j2.properties", LOGGING, user).map_err(cannot)?;
    let mut format = std::process::Command::new(&java);
    clean(&mut format);
    as_user(&mut format, user);
    format.args(HEAP).arg(logs_by(&logging)).arg("-cp").arg(&jars);
    format.args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config"]).arg(&settings);
    let formatted = format.current_dir(&home.server).stdin(Stdio::null()).output();
    let formatted = formatted.map_err(|error| failed("kafka", &format!("{}: {error}", java.display())))?;
    if !formatted.status.success() {
        let said = [formatted.stdout, formatted.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        // Java finds nothing where it may not look.
        if user.is_some() && said.contains("ClassNotFoundException") {
            return Err(BackendError {
                backend: "kafka",
                what: format!("it runs as a user who may not read {}", folder.display()),
                remedy: Some("let others read the folder and go through those above it (chmod a+rx)".to_owned()),
            });
        }
        let last: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).rev().take(2).collect();
        return Err(failed("kafka", &format!("its folder could not be formatted: {}", last.join(" | "))));
    }
    let mut command = home.command(&java, user);
    command.args(HEAP).arg(logs_by(&logging)).arg("-cp").arg(&jars).arg("kafka.Kafka").arg(&settings);
    let process = ServerProcess {
        backend: "kafka",
        name: "kafka".to_owned(),
        url: url(&secrets, &address),
        stop: Signal::TERM,
        running: Mutex::new(home.start("kafka", command)?),
        seat: None,
        home,
    };
    let admin = admin_url(&secrets, &address);
    process.wait_until_it_answers(&admin).await?;
    admit(&admin, USER).await?;
    // It takes a moment until every part of the broker knows.
    process.wait_until_it_answers(&process.url).await?;
    Ok(Started {
        how: format!("process {} with {}", java.display(), version(&folder).unwrap_or_else(|| "Kafka".to_owned())),
        servers: vec![Box::new(process)],
    })
}

/// Any id will do for a cluster of one: 16 bytes, in letters.
const CLUSTER: &str = "b25jZWxhYi1vbmNlbGFiLQ";

/// What a broker writes to its log.
const LOGGING: &str = "rootLogger.level=WARN\nrootLogger.appenderRef.out.ref=OUT\nappender.out.type=Console\nappender.out.name=OUT\n\
    appender.out.layout.type=PatternLayout\nappender.out.layout.pattern=[%d] %p %m (%c)%n\n";

fn logs_by(file: &Path) -> OsString {
    let mut argument = OsString::from("-Dlog4j2.configurationFile=");
    argument.push(file);
    argument
}
