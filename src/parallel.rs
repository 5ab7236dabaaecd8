//! Work that is done on all cores at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the work makes of each item, in the order of the items. Each core takes the next item when it has done one.
///
/// # Panics
/// If the work does.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..cores.min(items.len()) {
            scope.spawn(|| {
                while let Some((item, place)) = at(&next, items, &done) {
                    let made = work(item);
                    *place.lock().expect("each place is filled once") = Some(made);
                }
            });
        }
    });
    let filled = |place: Mutex<Option<R>>| place.into_inner().ok().flatten().expect("every item was taken");
    done.into_iter().map(filled).collect()
}

/// The next item that nobody has taken, and the place of what is made of it.
fn at<'a, T, P>(next: &AtomicUsize, items: &'a [T], places: &'a [P]) -> Option<(&'a T, &'a P)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((items.get(index)?, places.get(index)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_keeps_the_order_of_the_items() {
        let items: Vec<u64> = (0..100).collect();
        // The first ones take longest.
        let slow = |n: &u64| {
            std::thread::sleep(std::time::Duration::from_micros(100 - n));
            n * n
        };
        assert_eq!(in_parallel(&items, slow), items.iter().map(|n| n * n).collect::<Vec<_>>());
        assert!(in_parallel(&[] as &[u64], slow).is_empty());
    }
}
