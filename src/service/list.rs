//! The list of services: to add one is to add a folder and a line here.

/// Hands the list of services to a macro: its name, its folder and type, what a strategy calls it, and its usual role. A line may have
/// attributes, which go to whatever is made of the line.
macro_rules! for_each_service {
    ($callback:ident) => {
        $callback! {
            Store, store::StoreService, store() as Role::STORE;
            Etcd, etcd::EtcdService, lock() as Role::LOCK;
            Peer, peer::PeerService, peer() as Role::PEER;
            Redis, redis::RedisService, cache() as Role::CACHE;
            Kafka, kafka::KafkaService, broker() as Role::BROKER;
            Hop, hop::HopService, hop() as Role::HOP;
            #[cfg(test)]
            Counter, counter::CounterService, counter() as Role::SECOND;
        }
    };
}
pub(crate) use for_each_service;
