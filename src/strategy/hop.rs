//! Any strategy behind a real hop: its request crosses before its own steps, and its answer after them.

use std::sync::Arc;

use super::{Actor, Claim, Need, Reaped, Registry, Resident, Strategy};
use crate::terms::{HttpForm, Reply, Request, Role, Shape, StoreKind};
use crate::world::World;

/// A strategy whose deliveries cross the hop between client and handler, as steps of their own. What it claims stays the same: whoever
/// promises anything promises it over a network.
pub struct WithHop {
    inner: Arc<dyn Strategy>,
    needs: Vec<Need>,
}

impl WithHop {
    /// Puts a strategy behind the hop.
    #[must_use]
    pub fn new(inner: Arc<dyn Strategy>) -> Self {
        let hop = (!inner.needs().contains(&Need::HOP)).then_some(Need::HOP);
        let needs = inner.needs().iter().copied().chain(hop).collect();
        WithHop { inner, needs }
    }

    /// Puts every strategy of a registry behind the hop.
    #[must_use]
    pub fn all(registry: &Registry) -> Registry {
        let mut behind = Registry::empty();
        registry.iter().for_each(|strategy| behind.register(WithHop::new(Arc::clone(strategy))));
        behind
    }

    /// Whether a strategy is behind the hop.
    #[must_use]
    pub fn is(strategy: &dyn Strategy) -> bool {
        strategy.needs().iter().any(|need| need.role == Role::HOP)
    }
}

#[async_trait::async_trait]
impl Strategy for WithHop {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn steps(&self) -> &'static str {
        self.inner.steps()
    }

    fn claim(&self, store: StoreKind) -> Claim {
        self.inner.claim(store)
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn effects_in(&self) -> &'static [Role] {
        self.inner.effects_in()
    }

    fn actors(&self) -> &'static [&'static dyn Actor] {
        self.inner.actors()
    }

    fn residents(&self) -> &'static [&'static dyn Resident] {
        self.inner.residents()
    }

    fn reaper(&self) -> Option<Reaped> {
        self.inner.reaper()
    }

    fn shape(&self) -> Shape {
        self.inner.shape()
    }

    fn http_form(&self, request: &Request) -> HttpForm {
        self.inner.http_form(request)
    }

    fn runs_on(&self, store: StoreKind) -> bool {
        self.inner.runs_on(store)
    }

    fn waits_with_snapshot(&self) -> bool {
        self.inner.waits_with_snapshot()
    }

    fn has_timers(&self) -> bool {
        self.inner.has_timers()
    }

    fn belongs_to_a_scenario(&self) -> bool {
        self.inner.belongs_to_a_scenario()
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let form = self.http_form(request);
        world.hop().arrive(request, form).await?;
        let reply = self.inner.handle(world, request).await;
        world.hop().answer(request.id, form, reply).await
    }
}
