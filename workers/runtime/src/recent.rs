//! Which leads of a partition were seen lately: so that a record that stands twice in `leads` is handled once, and a lead that says
//! the same as one of the same person shortly before is told as its repeat.
//!
//! Pure. Bounded in number; what is older than that is forgotten. What stands for leads from before an assignment is read
//! back by `recall`.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use leadline_proto::keys::ContentHash;
use uuid::Uuid;

/// Leads of a partition that are remembered.
pub(crate) const MOST: usize = 10_000;

/// What stands for a lead that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was delivered or skipped.
    Ended,
    /// It waits in the retry topic.
    Waiting,
    /// It was given up.
    GivenUp,
}

/// How a lead relates to those seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not at all.
    New,
    /// It is one of them.
    Same,
    /// It says the same as this one.
    Repeat(First),
}

/// The first of several leads that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) lead_id: Uuid,
    pub(crate) received_at: Timestamp,
    pub(crate) standing: Standing,
}

/// A lead as it is remembered. Without content it is no lead that could be repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) lead_id: Uuid,
    pub(crate) content: Option<ContentHash>,
    pub(crate) received_at: Timestamp,
}

/// The leads seen lately.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    leads: HashMap<Uuid, Option<ContentHash>>,
    firsts: HashMap<ContentHash, First>,
    order: VecDeque<Uuid>,
}

impl Recent {
    /// How a lead relates to those seen before; `window` is the time within which it can be a repeat.
    pub(crate) fn look(&self, lead: &Sighting, window: SignedDuration) -> Seen {
        if self.leads.contains_key(&lead.lead_id) {
            return Seen::Same;
        }
        let first = lead.content.and_then(|content| self.firsts.get(&content));
        let near = |first: &&First| lead.received_at.duration_since(first.received_at).abs() <= window;
        first.filter(near).map_or(Seen::New, |first| Seen::Repeat(*first))
    }

    /// Notes what stands for a lead now.
    pub(crate) fn note(&mut self, lead: &Sighting, standing: Standing) {
        let known = self.leads.insert(lead.lead_id, lead.content).is_some();
        if !known {
            self.order.push_back(lead.lead_id);
            self.forget_the_oldest();
        }
        let Some(content) = lead.content else { return };
        match standing {
            Standing::GivenUp => self.forget_first(content, lead.lead_id),
            Standing::Ended | Standing::Waiting => {
                let first = First { lead_id: lead.lead_id, received_at: lead.received_at, standing };
                self.firsts.insert(content, first);
            }
        }
    }

    fn forget_the_oldest(&mut self) {
        if self.order.len() <= MOST {
            return;
        }
        let Some(oldest) = self.order.pop_front() else { return };
        if let Some(Some(content)) = self.leads.remove(&oldest) {
            self.forget_first(content, oldest);
        }
    }

    fn forget_first(&mut self, content: ContentHash, lead_id: Uuid) {
        if self.firsts.get(&content).is_some_and(|first| first.lead_id == lead_id) {
            self.firsts.remove(&content);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn lead(id: u128, content: &str, minute: i64) -> Sighting {
        let content = (!content.is_empty()).then(|| content.repeat(32).parse().unwrap());
        let received_at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute);
        Sighting { lead_id: Uuid::from_u128(id), content, received_at }
    }

    fn repeats(seen: Seen) -> Option<u128> {
        match seen {
            Seen::Repeat(first) => Some(first.lead_id.as_u128()),
            Seen::New | Seen::Same => None,
        }
    }

    #[test]
    fn the_same_content_within_the_window_is_a_repeat_of_the_first() {
        let mut recent = Recent::default();
        assert_eq!(recent.look(&lead(1, "a", 0), HOUR), Seen::New);
        recent.note(&lead(1, "a", 0), Standing::Ended);
        assert_eq!(recent.look(&lead(1, "a", 0), HOUR), Seen::Same);
        assert_eq!(repeats(recent.look(&lead(2, "a", 60), HOUR)), Some(1));
        assert_eq!(recent.look(&lead(2, "a", 61), HOUR), Seen::New);
        assert_eq!(recent.look(&lead(2, "b", 1), HOUR), Seen::New);
        assert_eq!(recent.look(&lead(2, "", 1), HOUR), Seen::New);
    }

    #[test]
    fn a_repeat_does_not_lengthen_the_window() {
        let mut recent = Recent::default();
        recent.note(&lead(1, "a", 0), Standing::Ended);
        recent.note(&Sighting { content: None, ..lead(2, "a", 50) }, Standing::Ended);
        assert_eq!(recent.look(&lead(3, "a", 70), HOUR), Seen::New);
        assert_eq!(recent.look(&lead(2, "a", 50), HOUR), Seen::Same);
    }

    #[test]
    fn a_lead_that_was_given_up_has_no_repeats() {
        let mut recent = Recent::default();
        recent.note(&lead(1, "a", 0), Standing::Waiting);
        assert_eq!(repeats(recent.look(&lead(2, "a", 1), HOUR)), Some(1));
        recent.note(&lead(1, "a", 0), Standing::GivenUp);
        assert_eq!(recent.look(&lead(2, "a", 1), HOUR), Seen::New);
        recent.note(&lead(2, "a", 1), Standing::Ended);
        recent.note(&lead(1, "a", 0), Standing::GivenUp);
        assert_eq!(repeats(recent.look(&lead(3, "a", 2), HOUR)), Some(2));
    }

    #[test]
    fn it_remembers_the_latest_only() {
        let mut recent = Recent::default();
        recent.note(&lead(0, "a", 0), Standing::Ended);
        (1..=MOST).for_each(|id| recent.note(&lead(id as u128, "", 0), Standing::Ended));
        assert_eq!(recent.look(&lead(0, "a", 0), HOUR), Seen::New);
        assert_eq!((recent.leads.len(), recent.order.len(), recent.firsts.len()), (MOST, MOST, 0));
    }
}
