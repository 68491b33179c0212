//! Bodies of requests: the sample leads, changed as JSON, then perhaps damaged as bytes.

use leadline_tests::fixtures;

use super::json::Json;
use super::{Chance, damage};

/// The limit of the default configuration; a body is at most so long.
pub(crate) const LIMIT: usize = 64 * 1024;
/// Pieces that grow most on the way into a record, when a body is full of them.
const GROWING: &[&str] =
    &["\"\",", "\"\\\\\\\\\\\\\",", "1e15,", "\"\\u0001\",", "\"\\n\",", "\n", "[],", "1e999,", "\"\u{7f}\","];

/// What bodies are made from.
pub(crate) struct Bodies {
    samples: Vec<Vec<u8>>,
    trees: Vec<Json>,
}

impl Bodies {
    pub(crate) fn of_samples() -> Self {
        let samples: Vec<Vec<u8>> = fixtures::lead_names().iter().map(|name| fixtures::lead(name)).collect();
        // One is not JSON, as the original is not.
        let trees = samples.iter().filter_map(|sample| serde_json::from_slice(sample).ok());
        Self { trees: trees.map(|value: serde_json::Value| Json::from(&value)).collect(), samples }
    }

    /// A lead that nothing is wrong with.
    pub(crate) fn sample(&self, chance: &mut Chance) -> &[u8] {
        let at = chance.below(self.samples.len());
        &self.samples[at]
    }

    /// Any body.
    pub(crate) fn any(&self, chance: &mut Chance) -> Vec<u8> {
        let mut body = match chance.below(400) {
            0 => full(chance),
            1..=4 => (0..chance.length(300)).map(|_| chance.byte()).collect(),
            5..=30 => self.sample(chance).to_vec(),
            _ => self.mutated(chance).into_bytes(),
        };
        if chance.one_in(4) {
            damage(&mut body, self.sample(chance), chance);
        }
        body.truncate(LIMIT);
        body
    }

    fn mutated(&self, chance: &mut Chance) -> String {
        let at = chance.below(self.trees.len());
        let mut tree = self.trees[at].clone();
        for _ in 0..=chance.length(12) {
            let donor = chance.below(self.trees.len());
            tree.mutate(chance, &self.trees[donor]);
        }
        let mut text = String::new();
        tree.write(&mut text);
        text
    }
}

/// As large as a body may be.
fn full(chance: &mut Chance) -> Vec<u8> {
    let (piece, name) = (chance.pick(GROWING), chance.pick(&["Company", "Description", "Other"]));
    let (head, tail) = (format!("{{\"UserDetails\":{{\"{name}\":["), "0]}}");
    let room = LIMIT - head.len() - tail.len() - chance.below(20);
    [&head, &piece.repeat(room / piece.len()), tail].concat().into_bytes()
}
