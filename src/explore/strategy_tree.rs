//! A strategy as an tree: where it stands is a function of the outcomes that it has learned, so a tree keyed by those
//! stands for the strategy, and no future needs to be polled to know what comes next.
//!
//! The tree grows where an exploration comes to. For each new node the strategy is run twice from its beginning, with the
//! outcomes that lead there, and must make the same operations as before: a strategy that does not is rejected.

use crate::service::contract::MAX_ASKED;
use crate::strategy::{Resident, Strategy, residents_of};
use crate::terms::{LeaseId, Request};
use crate::world::{Op, Outcome};

use super::Bound;
use super::attempt::{Attempt, LaneWork, Next, guarded};
use super::{ExploreError, Reason, in_words};

/// A place in the tree. The first ones are the roots: one for each request, then those of actors and of residents, and last those of a
/// batch: of the lane that carries it, and of the one whose request is in it.
pub(super) type NodeId = u16;

struct TreeNode {
    next: Next,
    /// Where it was reached from, and with which outcome. A root is its own parent.
    parent: NodeId,
    learned: Option<Outcome>,
    depth: u8,
    children: Vec<(Outcome, NodeId)>,
}

/// The strategy, as far as it is known.
pub(super) struct StrategyTree<'s> {
    strategy: &'s dyn Strategy,
    requests: Vec<Request>,
    residents: Vec<&'static dyn Resident>,
    /// The requests of the batch, if there is one.
    batch: Option<[Request; 2]>,
    batch_root: NodeId,
    nodes: Vec<TreeNode>,
}

/// The longest way from a root, in operations.
pub(super) const MAX_DEPTH: u8 = 63;

impl<'s> StrategyTree<'s> {
    /// The roots: what the strategy does first with each request.
    ///
    /// # Errors
    /// [`ExploreError`] if it is nondeterministic, awaits anything else than its operations, or panics.
    pub fn new(strategy: &'s dyn Strategy, bound: &Bound) -> Result<Self, ExploreError> {
        let (requests, residents) = (bound.all_requests(), residents_of(strategy, bound.reaps));
        let batch = bound.batched(&requests);
        let mut tree = StrategyTree { strategy, requests, residents, batch, batch_root: 0, nodes: Vec::new() };
        let leases = strategy.actors().len() * usize::from(MAX_ASKED);
        let turns = tree.residents.len() * tree.requests.len();
        let alone = tree.requests.len() + leases + turns;
        tree.batch_root = NodeId::try_from(alone).expect("there are few requests and actors");
        for root in 0..alone + usize::from(batch.is_some()) {
            let next = tree.run(root, &[], &[])?;
            tree.add_root(next);
        }
        tree.add_root(Next::IsCarried);
        Ok(tree)
    }

    fn add_root(&mut self, next: Next) {
        let own = NodeId::try_from(self.nodes.len()).expect("there are few requests and actors");
        self.nodes.push(TreeNode { next, parent: own, learned: None, depth: 0, children: Vec::new() });
    }

    /// The root of a batch.
    pub fn batch_root(&self) -> NodeId {
        self.batch_root
    }

    /// Where a lane stands whose request is in a batch that another one carries.
    pub fn carried_root(&self) -> NodeId {
        self.batch_root + NodeId::from(self.batch.is_some())
    }

    /// What is begun at a root.
    fn work(&self, root: usize) -> LaneWork<'_> {
        let leases = self.strategy.actors().len() * usize::from(MAX_ASKED);
        if let Some(batch) = self.batch.as_ref().filter(|_| root == usize::from(self.batch_root)) {
            return LaneWork::Batch(batch);
        }
        match root.checked_sub(self.requests.len()) {
            None => LaneWork::Delivery(&self.requests[root]),
            Some(place) if place >= leases => {
                let (resident, about) =
                    ((place - leases) / self.requests.len(), (place - leases) % self.requests.len());
                LaneWork::Turn(self.residents[resident], &self.requests[about])
            }
            Some(place) => {
                let (actor, number) = (place / usize::from(MAX_ASKED), place % usize::from(MAX_ASKED));
                LaneWork::Beside(self.strategy.actors()[actor], LeaseId(i64::try_from(number).unwrap_or(0) + 1))
            }
        }
    }

    /// The root of an actor's work for the lease that its delivery asked for as its so many-th.
    pub fn actor_root(&self, actor: u8, number: u8) -> NodeId {
        let place = self.requests.len() + usize::from(actor) * usize::from(MAX_ASKED) + usize::from(number);
        NodeId::try_from(place).unwrap_or(NodeId::MAX)
    }

    /// The root of a resident's turn about a request.
    pub fn resident_root(&self, resident: u8, request: u8) -> NodeId {
        let leases = self.strategy.actors().len() * usize::from(MAX_ASKED);
        let place = self.requests.len() * (1 + usize::from(resident)) + leases + usize::from(request);
        NodeId::try_from(place).unwrap_or(NodeId::MAX)
    }

    /// What the strategy does next at a node.
    pub fn next(&self, node: NodeId) -> Next {
        self.nodes[usize::from(node)].next
    }

    /// The operation that it makes there; none where it has replied.
    pub fn op(&self, node: NodeId) -> Option<Op> {
        match self.next(node) {
            Next::Asks(op) => Some(op),
            Next::Replies(_) | Next::RepliesBoth(_) | Next::IsCarried => None,
        }
    }

    /// How many operations lie before a node.
    pub fn depth(&self, node: NodeId) -> u8 {
        self.nodes[usize::from(node)].depth
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node before, and the outcome that led from there; none at a root.
    pub fn before(&self, node: NodeId) -> Option<(NodeId, Outcome)> {
        let TreeNode { parent, learned, .. } = &self.nodes[usize::from(node)];
        learned.map(|learned| (*parent, learned))
    }

    /// Where an outcome leads.
    ///
    /// # Errors
    /// As [`new`](StrategyTree::new), and [`Reason::TooLarge`].
    #[inline]
    pub fn child(&mut self, node: NodeId, learned: Outcome) -> Result<NodeId, ExploreError> {
        let children = &self.nodes[usize::from(node)].children;
        match children.iter().find(|(outcome, _)| *outcome == learned) {
            Some((_, child)) => Ok(*child),
            None => self.grow(node, learned),
        }
    }

    #[cold]
    fn grow(&mut self, node: NodeId, learned: Outcome) -> Result<NodeId, ExploreError> {
        let too_large = |what: &str| ExploreError::from(Reason::TooLarge { what: what.to_owned() });
        let depth = self.nodes[usize::from(node)].depth + 1;
        if depth > MAX_DEPTH {
            return Err(too_large("the strategy makes more than 63 operations for one delivery"));
        }
        let (mut ops, mut outcomes) = (Vec::new(), vec![learned]);
        let mut at = node;
        loop {
            ops.extend(self.op(at));
            let Some((parent, outcome)) = self.before(at) else { break };
            outcomes.push(outcome);
            at = parent;
        }
        ops.reverse();
        outcomes.reverse();
        let next = self.run(usize::from(at), &ops, &outcomes)?;
        let child = NodeId::try_from(self.nodes.len())
            .map_err(|_| too_large("the strategy has more than 65,535 places in which it can stand"))?;
        self.nodes.push(TreeNode { next, parent: node, learned: Some(learned), depth, children: Vec::new() });
        self.nodes[usize::from(node)].children.push((learned, child));
        Ok(child)
    }

    /// Runs the strategy from its beginning, twice, and gives what it does after these outcomes.
    fn run(&self, request: usize, ops: &[Op], outcomes: &[Outcome]) -> Result<Next, ExploreError> {
        let run_once = || guarded(self.strategy.name(), || self.run_once(request, ops, outcomes));
        let first = run_once()?;
        let again = run_once()?;
        if first == again { Ok(first) } else { Err(self.differs(outcomes, ops.last().copied(), first, again)) }
    }

    fn run_once(&self, request: usize, ops: &[Op], outcomes: &[Outcome]) -> Result<Next, ExploreError> {
        let (mut attempt, mut next) = Attempt::begin(self.strategy, self.work(request), false)?;
        for (n, (op, outcome)) in ops.iter().zip(outcomes).enumerate() {
            if next != Next::Asks(*op) {
                let before = n.checked_sub(1).map(|before| ops[before]);
                return Err(self.differs(&outcomes[..n], before, Next::Asks(*op), next));
            }
            next = attempt.go_on(self.strategy, outcome)?;
        }
        Ok(next)
    }

    fn differs(&self, outcomes: &[Outcome], last: Option<Op>, first: Next, then: Next) -> ExploreError {
        let after = match (last, outcomes.last()) {
            (Some(op), Some(outcome)) => {
                let learned = match outcome {
                    Outcome::Ok(response) => response.to_string(),
                    Outcome::Failed(failure) => format!("failed: {failure}"),
                    Outcome::Unknown => "unknown".to_owned(),
                };
                format!("operation {}, `{op}`, with the outcome `{learned}`", outcomes.len())
            }
            _ => "nothing at all".to_owned(),
        };
        let asked = |next| match next {
            Next::Asks(op) => Some(op),
            Next::Replies(_) | Next::RepliesBoth(_) | Next::IsCarried => None,
        };
        let (first, then) = (in_words(asked(first)), in_words(asked(then)));
        Reason::Nondeterministic { strategy: self.strategy.name(), after, first, then }.into()
    }
}
