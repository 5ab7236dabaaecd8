//! What was tried, and what is to be said against it; and the tests that every theme has.

use oncelab::strategy::Strategy;

use super::table::Liar;

/// The tests of one theme: every liar of it and every twin, in each verb. The numbers are those of the liars that are there, and of
/// those that a model knows.
macro_rules! tested {
    (liars: $liars:literal, conformed: $conformed:literal) => {
        #[test]
        fn run_calls_each_what_it_is() {
            assert_eq!($crate::liars::loaded::run(&liars()), ($liars, $liars));
        }

        #[test]
        fn explore_calls_each_what_it_is() {
            assert_eq!($crate::liars::explored::explore(&liars()), ($liars, $liars));
        }

        #[test]
        fn the_real_store_shows_what_the_model_shows() {
            assert_eq!($crate::liars::conformed::hold_against_the_store(&liars()), ($conformed, $conformed));
        }
    };
}
pub(super) use tested;

/// What was tried, and what is to be said against it.
#[derive(Default)]
pub(super) struct Tried {
    pub liars: usize,
    pub twins: usize,
    objections: Vec<String>,
}

impl Tried {
    /// Writes an objection down.
    pub fn object(&mut self, strategy: &dyn Strategy, of: &Liar, objection: Option<String>) {
        let named = |objection| format!("{} ({}): {objection}", strategy.name(), of.lie);
        self.objections.extend(objection.map(named));
    }

    /// How many liars and twins were tried, if nothing is to be said against any of them.
    pub fn counted(self) -> (usize, usize) {
        assert!(self.objections.is_empty(), "{:#?}", self.objections);
        (self.liars, self.twins)
    }
}

/// What is to be said against what was found; why it was not found is an objection too.
pub(super) fn against<T>(explored: Result<T, String>, objection: impl FnOnce(T) -> Option<String>) -> Option<String> {
    explored.map_or_else(Some, objection)
}

/// Does something that must not panic, whatever a strategy does.
pub(super) fn guarded<T>(it: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(it));
    caught.unwrap_or_else(|_| Err("the lab panicked".to_owned()))
}
