//! What a step grants, outside a host: native tests say what there is and see what became of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// What is granted to plugins that run in this thread; every test begins with nothing.
#[derive(Debug)]
pub struct Granted {
    /// What is kept: value and seconds to live, by key. Nothing expires by itself.
    pub kv: BTreeMap<String, (Vec<u8>, Option<u32>)>,
    /// Keys that there is room for.
    pub kv_entries_max: usize,
    /// The time, like an event's `received_at`.
    pub now: String,
    /// What was counted.
    pub counted: BTreeMap<String, u64>,
    /// Secrets by name, each with its text and whether it may be read.
    pub secrets: BTreeMap<String, (String, bool)>,
    dice: u8,
}

impl Granted {
    /// Dice that fall the same way every time.
    pub(crate) fn next_random(&mut self) -> u8 {
        self.dice = self.dice.wrapping_mul(5).wrapping_add(1);
        self.dice
    }
}

impl Default for Granted {
    fn default() -> Self {
        Self {
            kv: BTreeMap::new(),
            kv_entries_max: 100_000,
            now: "2026-01-01T00:00:00.000Z".to_owned(),
            counted: BTreeMap::new(),
            secrets: BTreeMap::new(),
            dice: 0,
        }
    }
}

thread_local! {
    static GRANTED: RefCell<Granted> = RefCell::default();
}

/// Looks at what is granted in this thread, or changes it.
pub fn granted<T>(look: impl FnOnce(&mut Granted) -> T) -> T {
    GRANTED.with_borrow_mut(look)
}
