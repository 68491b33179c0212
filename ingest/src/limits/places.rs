//! Memory for leads in flight, as a number of bytes that are lent. When it is scarce each endpoint has an even share, so that a
//! flood at one of them does not refuse the leads of another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use leadline_proto::EndpointName;

/// All memory there is for leads in flight.
#[derive(Clone)]
pub(crate) struct Places(Arc<Inner>);

struct Inner {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    /// Only of endpoints that have some.
    by_endpoint: HashMap<EndpointName, usize>,
}

/// Memory that a lead may use. Dropping it gives it back.
pub(crate) struct Place {
    places: Places,
    endpoint: EndpointName,
    bytes: usize,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: Mutex::default() }))
    }

    /// Lends memory to a lead of an endpoint; `None` when there is none, or when it is scarce and this endpoint has its share.
    pub(crate) fn take(&self, endpoint: &EndpointName, bytes: usize) -> Option<Place> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by_endpoint.get(endpoint).copied().unwrap_or_default();
        let total = taken.total + bytes;
        let sharing = taken.by_endpoint.len() + usize::from(own == 0);
        let has_its_share = own + bytes > self.0.most / sharing;
        if total > self.0.most || (total > self.0.most / 2 && has_its_share) {
            return None;
        }
        taken.total = total;
        taken.by_endpoint.insert(endpoint.clone(), own + bytes);
        Some(Place { places: self.clone(), endpoint: endpoint.clone(), bytes })
    }

    /// Whether more than half is lent: leads come faster than they go.
    pub(crate) fn are_scarce(&self) -> bool {
        self.taken() > self.0.most / 2
    }

    /// Bytes that are lent.
    pub(crate) fn taken(&self) -> usize {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= self.bytes;
        if let Some(own) = taken.by_endpoint.get_mut(&self.endpoint) {
            *own -= self.bytes;
            if *own == 0 {
                taken.by_endpoint.remove(&self.endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> EndpointName {
        text.parse().unwrap()
    }

    #[test]
    fn one_endpoint_alone_may_have_everything() {
        let places = Places::new(10);
        let held: Vec<_> = (0..10).map_while(|_| places.take(&name("a"), 1)).collect();
        assert_eq!((held.len(), places.taken()), (10, 10));
        drop(held);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn a_flood_at_one_leaves_room_for_another() {
        let places = Places::new(10);
        let mut flood: Vec<_> = (0..10).map_while(|_| places.take(&name("a"), 1)).collect();
        let other = places.take(&name("b"), 1);
        assert!(other.is_none(), "there is nothing at all");
        flood.truncate(9);
        let other = places.take(&name("b"), 1);
        assert!(other.is_some());
        flood.truncate(8);
        assert!(places.take(&name("a"), 1).is_none(), "it has more than its half");
        let more: Vec<_> = (0..10).map_while(|_| places.take(&name("b"), 1)).collect();
        assert_eq!(more.len(), 1, "8 and 2 are all there is");
    }

    #[test]
    fn nobody_shares_while_there_is_enough() {
        let places = Places::new(100);
        let _others: Vec<_> = (0..9).map(|number| places.take(&name(&format!("e{number}")), 1)).collect();
        let many: Vec<_> = (0..41).map_while(|_| places.take(&name("a"), 1)).collect();
        assert_eq!(many.len(), 41, "up to half, whatever its share");
        assert!(!places.are_scarce() && places.take(&name("a"), 1).is_none());
    }

    proptest! {
        #[test]
        fn what_is_lent_is_never_more_than_there_is_and_comes_back(
            steps in prop::collection::vec((0..4_usize, 1..20_usize, any::<bool>()), 0..200)
        ) {
            let places = Places::new(50);
            let mut held = Vec::new();
            for (endpoint, bytes, gives_back) in steps {
                held.extend(places.take(&name(&format!("e{endpoint}")), bytes));
                prop_assert_eq!(places.taken(), held.iter().map(|place: &Place| place.bytes).sum::<usize>());
                prop_assert!(places.taken() <= 50);
                if gives_back {
                    held.pop();
                }
            }
            drop(held);
            prop_assert_eq!(places.taken(), 0);
            prop_assert!(places.0.taken.lock().unwrap().by_endpoint.is_empty());
        }
    }
}
