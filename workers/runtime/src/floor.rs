//! From where a restart must read back: how far outcomes, retry records and dead letters of a partition stood when its oldest
//! open lead was taken. Whatever stands for that lead, or for one behind it, was written later.
//!
//! A floor travels in the metadata of each committed offset. Reading back from it is `recall`'s.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The topics in which something can stand for a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trail {
    Outcomes,
    Retry,
    DeadLetters,
}

impl Trail {
    /// All of them, in the order of a floor's numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Outcomes, Self::Retry, Self::DeadLetters];

    fn index(self) -> usize {
        match self {
            Self::Outcomes => 0,
            Self::Retry => 1,
            Self::DeadLetters => 2,
        }
    }
}

/// The next offset of each trail, for one partition number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Floor([i64; 3]);

/// What the metadata starts with, so that another form can follow one day.
const VERSION: &str = "v1:";

impl Floor {
    /// The next offset of one trail.
    pub(crate) fn of(self, trail: Trail) -> i64 {
        self.0[trail.index()]
    }

    /// Raises one trail to an offset, unless it is that high already.
    pub(crate) fn raise(&mut self, trail: Trail, next: i64) {
        let known = &mut self.0[trail.index()];
        *known = next.max(*known);
    }

    /// Reads the metadata of a commit; anything else than what [`Floor`] prints means: from the beginning.
    pub(crate) fn read(metadata: &str) -> Self {
        let numbers = metadata.strip_prefix(VERSION).unwrap_or_default().split(',').map(|number| number.parse().ok());
        match numbers.collect::<Option<Vec<i64>>>().as_deref() {
            Some([outcomes, retry, dead_letters]) => Self([*outcomes, *retry, *dead_letters]),
            Some(_) | None => Self::default(),
        }
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [outcomes, retry, dead_letters] = self.0;
        write!(f, "{VERSION}{outcomes},{retry},{dead_letters}")
    }
}

/// How far the trails of each partition number are known to reach now. Never further than they do.
#[derive(Debug, Default)]
pub(crate) struct Floors(Mutex<HashMap<i32, Floor>>);

impl Floors {
    fn map(&self) -> MutexGuard<'_, HashMap<i32, Floor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a trail reaches up to an offset.
    pub(crate) fn raise(&self, partition: i32, trail: Trail, next: i64) {
        self.map().entry(partition).or_default().raise(trail, next);
    }

    /// How far the trails of a partition reach, as far as is known.
    pub(crate) fn now(&self, partition: i32) -> Floor {
        self.map().get(&partition).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_back_and_foreign_metadata_means_from_the_beginning() {
        let mut floor = Floor::default();
        floor.raise(Trail::Outcomes, 12);
        floor.raise(Trail::DeadLetters, 3);
        floor.raise(Trail::Outcomes, 7);
        assert_eq!(floor.to_string(), "v1:12,0,3");
        assert_eq!(Floor::read("v1:12,0,3"), floor);
        for foreign in ["", "v2:1,2,3", "v1:1,2", "v1:1,2,3,4", "v1:a,b,c", "x"] {
            assert_eq!(Floor::read(foreign), Floor::default(), "{foreign}");
        }
    }
}
