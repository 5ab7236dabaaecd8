//! Views and strategies in words and numbers that are the same in every process.

use std::collections::BTreeSet;

use super::sight::{Lookout, View};
use crate::explore::rules::Lane;
use crate::service::contract::lane_name;

impl Lookout<'_> {
    /// What the strategy does, as far as it has come to: for each place in its tree a number of the place and of the operation, or the reply.
    pub fn strategy_places(&mut self) -> BTreeSet<u64> {
        let nodes = u16::try_from(self.graph.tree.len()).unwrap_or(u16::MAX);
        let place = |node: u16| {
            let key = self.node_key(node);
            let next = format!("{:?}", self.graph.tree.next(node));
            hash(key.to_le_bytes().into_iter().chain(next.bytes()))
        };
        (0..nodes).map(place).collect()
    }

    /// A view in words that are the same in every process.
    pub fn in_words(&mut self, view: &View) -> String {
        let mut words = String::new();
        for lane in self.places(view) {
            let its = view.0.lanes[usize::from(lane)];
            let (name, flags) = (lane_name(lane), Lane { node: 0, ..its });
            words += &format!("{name}: {} {flags:?}\n", self.way_to(its));
        }
        let (flights, seen) = (self.graph.memo.flights(view.0.at.flights), self.graph.memo.seen(view.0.at.seen));
        words += &format!("in flight: {flights:?}\nseen: {seen:?}\n");
        words + &self.graph.memo.services_in_words(view.0.at.services)
    }

    /// What a lane has done.
    pub fn way_to(&self, lane: Lane) -> String {
        if lane.is_ended() {
            return "through".to_owned();
        }
        let (mut steps, mut node) = (Vec::new(), lane.node);
        while let Some((before, outcome)) = self.graph.tree.before(node) {
            let op = self.graph.tree.op(before).map_or(String::new(), |op| op.to_string());
            steps.push(format!("{op} = {outcome:?}"));
            node = before;
        }
        steps.reverse();
        steps.join(", ")
    }
}

/// A digest of what a strategy does.
pub(super) fn digest_of(places: &BTreeSet<u64>) -> String {
    format!("{:016x}", hash(places.iter().flat_map(|place| place.to_le_bytes())))
}

/// FNV-1a, 64 bits: a number that is the same in every process. Source: Fowler, Noll, Vo.
pub(super) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}
