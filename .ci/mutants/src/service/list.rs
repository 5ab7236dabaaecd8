//! The list of services without the one that only the lab's own tests have.

/// Hands the list of services to a macro: its name, its folder and type, what a strategy calls it, and its usual role. A line may have
/// attributes, which go to whatever is made of the line.
macro_rules! for_each_service {
    ($callback:ident) => {
        $callback! {
            Store, store::StoreService, store() as Role::STORE;
            Etcd, etcd::EtcdService, lock() as Role::LOCK;
        }
    };
}
pub(crate) use for_each_service;
