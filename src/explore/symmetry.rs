//! Lanes that carry the same request are interchangeable: of states that differ in their order alone, one stands for all.

use super::bound::MAX_LANES;
use super::state_graph::{State, StateGraph};

/// The number of the lane at a place.
fn lane_number(place: usize) -> u8 {
    u8::try_from(place).expect("there are few lanes")
}

impl StateGraph<'_> {
    /// The same state with identical lanes in one order, and the new place of each lane.
    pub fn canonical(&mut self, state: &State) -> (State, [u8; MAX_LANES as usize]) {
        if self.bound.actors > 0 {
            return self.canonical_with_actors(state);
        }
        // The lanes of a batch are like no others.
        if self.bound.has_batch() {
            return (*state, [0, 1, 2, 3, 4, 5]);
        }
        // What works for the system stays where it is.
        let lanes = usize::from(self.bound.lanes - self.bound.residents);
        let requests = usize::from(self.bound.requests.max(1));
        // The old lane at each new place. Lanes with different requests keep apart.
        let mut order = [0, 1, 2, 3, 4, 5];
        for request in 0..requests {
            let mut of: Vec<u8> = order[..lanes].iter().copied().skip(request).step_by(requests).collect();
            // A copy without a client keeps apart from lanes that have one.
            of.sort_by_key(|lane| (!self.bound.has_client(*lane), state.lanes[usize::from(*lane)].bits()));
            for (place, lane) in (request..lanes).step_by(requests).zip(of) {
                order[place] = lane;
            }
        }
        let mut best = self.reordered(state, order);
        // Lanes that stand at the same place can still differ in what they have left with the backends.
        for first in 0..lanes {
            let second = first + requests;
            let alike = second < lanes
                && self.bound.has_client(lane_number(first)) == self.bound.has_client(lane_number(second));
            if alike && best.0.lanes[first] == best.0.lanes[second] {
                let mut swapped = order;
                swapped.swap(first, second);
                let other = self.reordered(state, swapped);
                if other.0.at < best.0.at {
                    best = other;
                    order = swapped;
                }
            }
        }
        best
    }

    /// The same where lanes have actors, which go where their lanes go.
    fn canonical_with_actors(&mut self, state: &State) -> (State, [u8; MAX_LANES as usize]) {
        let (stride, apart) = (self.bound.stride(), usize::from(self.bound.requests.max(1)));
        let bits =
            |host: u8| (host..host + stride).map(|lane| state.lanes[usize::from(lane)].bits()).collect::<Vec<_>>();
        let mut hosts: Vec<u8> = (0..self.bound.lanes).step_by(stride.into()).collect();
        for request in 0..apart {
            let mut of: Vec<u8> = hosts.iter().copied().skip(request).step_by(apart).collect();
            of.sort_by_key(|host| (!self.bound.has_client(*host), bits(*host)));
            hosts.iter_mut().skip(request).step_by(apart).zip(of).for_each(|(place, host)| *place = host);
        }
        let mut order = [0, 1, 2, 3, 4, 5];
        let lanes = hosts.iter().flat_map(|host| *host..*host + stride);
        order.iter_mut().zip(lanes).for_each(|(place, lane)| *place = lane);
        self.reordered(state, order)
    }

    fn reordered(&mut self, state: &State, order: [u8; MAX_LANES as usize]) -> (State, [u8; MAX_LANES as usize]) {
        let mut places = [0_u8; MAX_LANES as usize];
        for (place, lane) in (0..).zip(order) {
            places[usize::from(lane)] = place;
        }
        if places == [0, 1, 2, 3, 4, 5] {
            return (*state, places);
        }
        let mut lanes = state.lanes;
        for (place, lane) in order.iter().enumerate() {
            lanes[place] = state.lanes[usize::from(*lane)];
        }
        let code = places.iter().fold(0_u32, |code, place| code * 8 + u32::from(*place));
        let at = self.memo.permute(state.at, code, |lane| places[usize::from(lane.min(5))]);
        (State { lanes, at, ..*state }, places)
    }
}
