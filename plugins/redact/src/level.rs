//! What the rules ask for at one level of a payload, sorted, so that a payload of many members costs no more for many rules.

use crate::settings::{Rule, Step};

/// A set of rules, one for each bit by its place. All rules of a set have come the same number of levels down.
pub(crate) type Rules = u64;

/// All rules.
pub(crate) fn all_of(rules: &[Rule]) -> Rules {
    rules.iter().enumerate().fold(0, |all, (place, _)| all | (1 << place))
}

/// What the rules ask for among the members of an object or the elements of an array.
#[derive(Debug, Default)]
pub(crate) struct Level<'r> {
    /// Those that ask for every one.
    pub(crate) every: Rules,
    /// Those that go no further than to the value itself.
    pub(crate) ending: Rules,
    /// Those that ask for members by name, each name once.
    named: Vec<(&'r str, Rules)>,
    /// Those that ask for an element by place, each place once.
    placed: Vec<(usize, Rules)>,
}

impl<'r> Level<'r> {
    /// All levels of the rules, from the outside in.
    pub(crate) fn all(rules: &'r [Rule]) -> Vec<Self> {
        let depth = rules.iter().map(|rule| rule.steps.len()).max().unwrap_or_default();
        let mut levels: Vec<Self> = (0..=depth).map(|_| Self::default()).collect();
        for (place, rule) in rules.iter().enumerate() {
            let own = 1 << place;
            for (level, step) in levels.iter_mut().zip(&rule.steps) {
                match step {
                    Step::Every => level.every |= own,
                    Step::One { name, place } => {
                        add(&mut level.named, name.as_str(), own);
                        if let Some(place) = place {
                            add(&mut level.placed, *place, own);
                        }
                    }
                }
            }
            levels[rule.steps.len()].ending |= own;
        }
        levels
    }

    /// Those that ask for members of this name, but for those that ask for every one.
    pub(crate) fn named(&self, name: &str) -> Rules {
        self.named.binary_search_by(|(own, _)| (*own).cmp(name)).map_or(0, |at| self.named[at].1)
    }

    /// Those that ask for the element at this place, but for those that ask for every one.
    pub(crate) fn placed(&self, place: usize) -> Rules {
        self.placed.binary_search_by(|(own, _)| own.cmp(&place)).map_or(0, |at| self.placed[at].1)
    }
}

fn add<K: Ord>(list: &mut Vec<(K, Rules)>, key: K, own: Rules) {
    match list.binary_search_by(|(other, _)| other.cmp(&key)) {
        Ok(at) => list[at].1 |= own,
        Err(at) => list.insert(at, (key, own)),
    }
}
