//! How a Kafka of one broker is set up: the same as a process and in a container.

/// Who a broker and its controller are to each other, and who the lab is to the broker: a name and a password each.
pub(super) struct BrokerSecrets {
    pub own: String,
    pub broker: String,
}

/// The name that the lab shows the broker.
pub(super) const USER: &str = "oncelab";

/// Where a broker listens, and where it says that it does; where its controller listens; and where it keeps its data.
pub(super) struct BrokerPlaces<'p> {
    pub listens: &'p str,
    pub advertises: &'p str,
    pub controller: &'p str,
    pub data: &'p str,
}

/// The settings of a broker that is its own controller. Both let in only who knows a password. What makes a broker quick to start and
/// small stands here too: one broker has no replicas, and needs few partitions for what it notes itself.
pub(super) fn settings(places: &BrokerPlaces<'_>, secrets: &BrokerSecrets) -> Vec<(&'static str, String)> {
    let BrokerPlaces { listens, advertises, controller, data } = places;
    let BrokerSecrets { own, broker } = secrets;
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let of_broker = format!("username=\"broker\" password=\"{broker}\" user_broker=\"{broker}\"");
    let settings = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.listener.names", "CONTROLLER"),
        ("inter.broker.listener.name", "LAB"),
        ("listener.security.protocol.map", "LAB:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"),
        ("sasl.enabled.mechanisms", "PLAIN"),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
        ("sasl.mechanism.controller.protocol", "PLAIN"),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", "User:broker"),
        ("offsets.topic.replication.factor", "1"),
        ("offsets.topic.num.partitions", "1"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("transaction.state.log.num.partitions", "1"),
        ("share.coordinator.state.topic.replication.factor", "1"),
        ("share.coordinator.state.topic.min.isr", "1"),
        ("share.coordinator.state.topic.num.partitions", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.min.session.timeout.ms", "100"),
        ("log.index.size.max.bytes", "65536"),
        ("log.cleaner.enable", "false"),
        ("auto.create.topics.enable", "false"),
    ];
    let mut settings: Vec<(&str, String)> = settings.map(|(key, value)| (key, value.to_owned())).into();
    settings.extend([
        ("listeners", format!("LAB://{listens},CONTROLLER://{controller}")),
        ("advertised.listeners", format!("LAB://{advertises}")),
        ("controller.quorum.voters", format!("1@{controller}")),
        ("log.dirs", (*data).to_owned()),
        ("listener.name.lab.plain.sasl.jaas.config", format!("{plain} {of_broker} user_{USER}=\"{own}\";")),
        ("listener.name.controller.plain.sasl.jaas.config", format!("{plain} {of_broker};")),
    ]);
    settings
}

/// What keeps a broker of the lab's small and quick to start.
pub(super) const HEAP: [&str; 3] = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The URL of a broker for whoever administers it.
pub(super) fn admin_url(secrets: &BrokerSecrets, address: impl std::fmt::Display) -> String {
    format!("kafka://broker:{}@{address}", secrets.broker)
}

/// The URL of a broker.
pub(super) fn url(secrets: &BrokerSecrets, address: impl std::fmt::Display) -> String {
    format!("kafka://{USER}:{}@{address}", secrets.own)
}
