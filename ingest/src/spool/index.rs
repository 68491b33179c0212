//! What lies in the spool, in memory: by number, by person, and in bytes. Answers a request without touching the disk.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

/// A person, as a short hash of the record's key: two of one hash wait for each other needlessly, and that is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Person(u64);

impl Person {
    pub(crate) fn of(key: &str) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    pub(crate) person: Person,
    pub(crate) bytes: usize,
    pub(crate) spooled_at: Timestamp,
}

/// Entries that are in the spool or on their way into it.
#[derive(Debug)]
pub(crate) struct Index {
    entries: BTreeMap<u64, Noted>,
    persons: HashMap<Person, usize>,
    /// Sizes of those that Kafka has refused: they take room, and nobody waits for them.
    refused: BTreeMap<u64, usize>,
    bytes: usize,
    limit: usize,
}

impl Index {
    /// An empty index of a spool that may hold so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: BTreeMap::new(), persons: HashMap::new(), refused: BTreeMap::new(), bytes: 0, limit }
    }

    /// Takes room for an entry that is about to be written. From now on its person's leads queue behind it. Says whether there
    /// was room.
    pub(crate) fn begin(&mut self, person: Person, bytes: usize) -> bool {
        if self.bytes + bytes > self.limit {
            return false;
        }
        self.count(person, bytes);
        true
    }

    /// The entry could not be written.
    pub(crate) fn failed(&mut self, person: Person, bytes: usize) {
        self.uncount(person, bytes);
    }

    /// An entry for which [`Index::begin`] took room is written.
    pub(crate) fn written(&mut self, number: u64, noted: Noted) {
        self.entries.insert(number, noted);
    }

    /// An entry that was there before this process.
    pub(crate) fn found(&mut self, number: u64, noted: Noted) {
        if self.entries.insert(number, noted).is_none() {
            self.count(noted.person, noted.bytes);
        }
    }

    /// An entry is gone.
    pub(crate) fn removed(&mut self, number: u64) {
        if let Some(noted) = self.entries.remove(&number) {
            self.uncount(noted.person, noted.bytes);
        }
    }

    /// Kafka refuses an entry, now or before this process.
    pub(crate) fn refused(&mut self, number: u64, bytes: usize) {
        self.removed(number);
        if self.refused.insert(number, bytes).is_none() {
            self.bytes += bytes;
        }
    }

    /// What Kafka had refused is to be tried again, and will be [`Index::found`].
    pub(crate) fn requeued(&mut self) {
        self.bytes = self.bytes.saturating_sub(self.refused.values().sum());
        self.refused.clear();
    }

    /// Entries that Kafka has refused.
    pub(crate) fn refused_count(&self) -> usize {
        self.refused.len()
    }

    /// The size of an entry that waits.
    pub(crate) fn size(&self, number: u64) -> usize {
        self.entries.get(&number).map_or(0, |noted| noted.bytes)
    }

    fn count(&mut self, person: Person, bytes: usize) {
        *self.persons.entry(person).or_default() += 1;
        self.bytes += bytes;
    }

    fn uncount(&mut self, person: Person, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(count) = self.persons.get_mut(&person) {
            *count -= 1;
            if *count == 0 {
                self.persons.remove(&person);
            }
        }
    }

    /// Whether something of this person waits.
    pub(crate) fn holds(&self, person: Person) -> bool {
        self.persons.contains_key(&person)
    }

    /// The oldest entries with their persons: at most so many, and of so many bytes together, but always one.
    pub(crate) fn oldest(&self, count: usize, bytes: usize) -> Vec<(u64, Person)> {
        let mut before = 0;
        let fits = |(_, noted): &(&u64, &Noted)| {
            let fits = before == 0 || before + noted.bytes <= bytes;
            before += noted.bytes;
            fits
        };
        self.entries.iter().take(count).take_while(fits).map(|(number, noted)| (*number, noted.person)).collect()
    }

    /// Entries that are written.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all entries.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest entry came.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.entries.first_key_value().map(|(_, noted)| noted.spooled_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(key: &str, bytes: usize) -> Noted {
        Noted { person: Person::of(key), bytes, spooled_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_person_waits_from_the_first_entry_begun_to_the_last_one_removed() {
        let mut index = Index::new(100);
        let ada = Person::of("ada");
        assert!(index.begin(ada, 10) && index.holds(ada) && index.len() == 0);
        index.written(1, noted("ada", 10));
        assert!(index.begin(ada, 10));
        index.removed(1);
        assert!(index.holds(ada));
        index.failed(ada, 10);
        assert!(!index.holds(ada));
        assert_eq!((index.bytes(), index.since()), (0, None));
    }

    #[test]
    fn there_is_room_up_to_the_limit_and_again_after_a_removal() {
        let mut index = Index::new(20);
        index.found(1, noted("a", 15));
        index.found(1, noted("a", 15));
        assert!(!index.begin(Person::of("b"), 6) && index.begin(Person::of("b"), 5));
        index.written(2, noted("b", 5));
        index.removed(1);
        index.removed(1);
        assert_eq!((index.bytes(), index.len()), (5, 1));
        assert!(index.begin(Person::of("c"), 15));
    }

    #[test]
    fn the_oldest_are_few_and_small_together_but_never_none() {
        let mut index = Index::new(1000);
        (1..=4).for_each(|number| index.found(number, noted("a", 100)));
        let numbers = |count, bytes| index.oldest(count, bytes).into_iter().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!((numbers(9, 250), numbers(1, 250), numbers(9, 10)), (vec![1, 2], vec![1], vec![1]));
        assert_eq!(numbers(9, 400), [1, 2, 3, 4]);
    }

    #[test]
    fn a_refused_entry_takes_room_and_nobody_waits_for_it() {
        let mut index = Index::new(20);
        index.found(1, noted("a", 15));
        index.refused(1, index.size(1));
        assert!(!index.holds(Person::of("a")) && index.oldest(9, 99).is_empty());
        assert_eq!((index.bytes(), index.refused_count()), (15, 1));
        index.requeued();
        index.found(1, noted("a", 15));
        assert_eq!((index.bytes(), index.refused_count(), index.len()), (15, 0, 1));
    }
}
