//! The list of strategies, by name. Another crate adds its own to it.

use std::sync::Arc;

use super::{Strategy, name_fault};
use crate::terms::{Role, StoreKind};

/// No strategy has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no strategy is named '{name}'{}; `oncelab list strategies` names them", crate::suggest::did_you_mean(.suggestion.as_deref()))]
pub struct UnknownStrategy {
    pub name: String,
    /// The name nearest to it, if one is near.
    pub suggestion: Option<String>,
}

/// The strategies that the drivers can choose from, in the order of reports: from no protection to the most.
#[derive(Clone)]
pub struct Registry {
    strategies: Vec<Arc<dyn Strategy>>,
}

impl Default for Registry {
    /// All the strategies of the lab.
    fn default() -> Self {
        let mut registry = Registry::empty();
        registry.register(super::at_most_once::AtMostOnce);
        registry.register(super::at_least_once::AtLeastOnce);
        registry.register(super::check_then_act::CheckThenAct);
        registry.register(super::check_then_act_transaction::CheckThenActTransaction);
        registry.register(super::claim_then_act::ClaimThenAct);
        registry.register(super::act_then_mark::ActThenMark);
        registry.register(super::etcd_lock::EtcdLock);
        registry.register(super::etcd_lock_marker::EtcdLockMarker);
        registry.register(super::etcd_lock_fenced::EtcdLockFenced);
        registry.register(super::etcd_lock_fenced_marker::EtcdLockFencedMarker);
        registry.register(super::etcd_lock_fenced_transaction::EtcdLockFencedTransaction);
        registry.register(super::dedup_table::DedupTable);
        registry.register(super::dedup_table_statement::DedupTableStatement);
        registry.register(super::etcd_lock_overwrite::EtcdLockOverwrite);
        registry.register(super::etcd_lock_twice::EtcdLockTwice);
        registry.register(super::etcd_lock_lease_id::EtcdLockLeaseId);
        registry.register(super::etcd_lock_kept_alive::EtcdLockKeptAlive);
        registry.register(super::check_then_act_serializable::CheckThenActSerializable);
        registry.register(super::row_lock::RowLock);
        registry.register(super::advisory_lock::AdvisoryLock);
        registry.register(super::session_advisory_lock::SessionAdvisoryLock);
        registry.register(super::sequence_number::SequenceNumber);
        registry.register(super::high_water_mark::HighWaterMark);
        registry.register(super::post::Post);
        registry.register(super::put::PutValue);
        registry.register(super::conditional_put::ConditionalPut);
        registry.register(super::delete_matching::DeleteMatching);
        registry.register(super::claim_lease::ClaimLease);
        registry.register(super::idempotency_key::IdempotencyKey);
        registry.register(super::dedup_window::DedupWindow);
        registry.register(super::dedup_table_partitioned::DedupTablePartitioned);
        registry.register(super::dedup_table_batched::DedupTableBatched);
        registry.register(super::check_then_act_repeatable_read::CheckThenActRepeatableRead);
        registry.register(super::advisory_lock_repeatable_read::AdvisoryLockRepeatableRead);
        registry.register(super::dedup_table_repeatable_read::DedupTableRepeatableRead);
        registry.register(super::claim_then_act_two_stores::ClaimThenActTwoStores);
        registry.register(super::act_then_mark_two_stores::ActThenMarkTwoStores);
        registry.register(super::transfer_two_stores::TransferTwoStores);
        registry.register(super::transfer_two_stores_keyed::TransferTwoStoresKeyed);
        registry.register(super::etcd_transaction::EtcdTransaction);
        registry.register(super::claim_then_act_peer::ClaimThenActPeer);
        registry.register(super::act_then_mark_peer::ActThenMarkPeer);
        registry.register(super::transfer_peer::TransferPeer);
        registry.register(super::idempotency_key_peer::IdempotencyKeyPeer);
        registry.register(super::claim_lease_two_stores::ClaimLeaseTwoStores);
        registry.register(super::idempotency_key_two_stores::IdempotencyKeyTwoStores);
        registry.register(super::outbox_inbox::OutboxInbox);
        registry.register(super::redis_lock::RedisLock);
        registry.register(super::redis_lock_no_compare::RedisLockNoCompare);
        registry.register(super::redis_lock_two_step_release::RedisLockTwoStepRelease);
        registry.register(super::redis_lock_replica::RedisLockReplica);
        registry.register(super::redis_lock_wait::RedisLockWait);
        registry.register(super::redlock::Redlock);
        registry.register(super::redlock_fast_clock::RedlockFastClock);
        registry.register(super::redis_fenced::RedisFenced);
        registry.register(super::redis_fenced_two_step::RedisFencedTwoStep);
        registry.register(super::redis_window::RedisWindow);
        registry.register(super::redis_claim::RedisClaim);
        registry.register(super::redis_mark::RedisMark);
        registry.register(super::redis_script::RedisScript);
        registry.register(super::kafka_at_least_once::KafkaAtLeastOnce);
        registry.register(super::kafka_idempotent::KafkaIdempotent);
        registry.register(super::kafka_offset_before_effect::KafkaOffsetBeforeEffect);
        registry.register(super::kafka_offset_after_effect::KafkaOffsetAfterEffect);
        registry.register(super::kafka_group::KafkaGroup);
        registry.register(super::kafka_offset_in_store::KafkaOffsetInStore);
        registry.register(super::kafka_inbox::KafkaInbox);
        registry.register(super::kafka_transactions_outside::KafkaTransactionsOutside);
        registry.register(super::kafka_transactions_outside_v1::KafkaTransactionsOutsideV1);
        registry.register(super::kafka_transactions_v1::KafkaTransactionsV1);
        registry.register(super::kafka_transactions::KafkaTransactions);
        registry
    }
}

impl Registry {
    /// A registry without any strategy.
    #[must_use]
    pub fn empty() -> Self {
        Registry { strategies: Vec::new() }
    }

    /// Adds a strategy at the end.
    ///
    /// ```
    /// # use oncelab::strategy::{Claim, Registry, Strategy, async_trait};
    /// # use oncelab::terms::{Reply, Request, Retries, StoreKind};
    /// # use oncelab::world::World;
    /// # struct JustAct;
    /// # #[async_trait]
    /// # impl Strategy for JustAct {
    /// #     fn name(&self) -> &'static str {
    /// #         "just-act"
    /// #     }
    /// #     fn steps(&self) -> &'static str {
    /// #         "[X]"
    /// #     }
    /// #     fn claim(&self, _: StoreKind) -> Claim {
    /// #         Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
    /// #     }
    /// #     async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
    /// #         world.store().apply(request).await
    /// #     }
    /// # }
    /// // The lab's own strategies, and one more.
    /// let mut registry = Registry::default();
    /// registry.register(JustAct);
    /// assert!(registry.get("just-act").is_ok());
    /// let unknown = registry.get("just-atc").err().expect("there is no such strategy");
    /// assert_eq!(unknown.suggestion.as_deref(), Some("just-act"));
    /// ```
    ///
    /// # Panics
    /// If the name is none by [`name_fault`], if a strategy of this name is there already: two would be told apart nowhere; or if it
    /// keeps its effects in no role, or in one that its needs do not name.
    pub fn register(&mut self, strategy: impl Strategy + 'static) {
        let name = strategy.name();
        if let Some(fault) = name_fault(name) {
            panic!("a strategy's name: {fault}");
        }
        assert!(self.names().all(|taken| taken != name), "two strategies are named '{name}'");
        let works_for_all = !strategy.residents().is_empty() || strategy.reaper().is_some();
        assert!(
            strategy.actors().is_empty() || !works_for_all,
            "'{name}' has actors of its deliveries and of the system: a schedule has letters for one sort of them only"
        );
        let needs = |role: &Role| strategy.needs().iter().any(|need| need.role == *role);
        let effects = strategy.effects_in();
        assert!(!effects.is_empty(), "'{name}' keeps its effects nowhere: name a role in `effects_in`");
        assert!(effects.iter().all(needs), "'{name}' keeps effects in a role that its `needs` do not name");
        self.strategies.push(Arc::new(strategy));
    }

    /// The strategy of this name.
    ///
    /// # Errors
    /// [`UnknownStrategy`], with the nearest name there is.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Strategy>, UnknownStrategy> {
        let found = self.strategies.iter().find(|strategy| strategy.name() == name);
        found.cloned().ok_or_else(|| UnknownStrategy {
            name: name.to_owned(),
            suggestion: crate::suggest::nearest(name, self.names()).map(str::to_owned),
        })
    }

    /// The strategies in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Strategy>> {
        self.strategies.iter()
    }

    /// The strategies in order that run on a kind of store.
    pub fn on(&self, store: StoreKind) -> impl Iterator<Item = &Arc<dyn Strategy>> {
        self.iter().filter(move |strategy| strategy.runs_on(store))
    }

    /// Their names in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.strategies.iter().map(|strategy| strategy.name())
    }
}
