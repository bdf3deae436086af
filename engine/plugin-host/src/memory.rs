//! How much memory and how many table entries one instance may have, and whether it asked for more.

use wasmtime::{ResourceLimiter, Result};

/// Entries in all tables of one instance; also what a table of the pool holds.
///
/// Function tables of compiled guests have hundreds of entries, those of interpreters tens of thousands.
pub(crate) const TABLE_ENTRIES_MAX: usize = 100_000;

/// The memory of one instance: all its linear memories together.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    bytes: usize,
    bytes_max: usize,
    table_entries: usize,
    denied: Option<usize>,
}

impl MemoryMeter {
    /// Nothing is used; `bytes_max` may be.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: 0, bytes_max, table_entries: 0, denied: None }
    }

    /// What the guest has.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the guest asked for in all when it was denied more, if it ever was.
    pub(crate) fn denied(&self) -> Option<usize> {
        self.denied
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        let granted = bytes <= self.bytes_max;
        if granted {
            self.bytes = bytes;
        } else {
            self.denied = Some(bytes);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let entries = self.table_entries.saturating_add(desired.saturating_sub(current));
        let granted = entries <= TABLE_ENTRIES_MAX;
        if granted {
            self.table_entries = entries;
        }
        Ok(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_5_memories_count_together_and_a_denial_is_remembered() {
        let mut meter = MemoryMeter::new(100);
        assert!(meter.memory_growing(0, 60, None).expect("an answer"));
        assert!(meter.memory_growing(0, 40, None).expect("an answer"));
        assert_eq!(meter.denied(), None);
        assert!(!meter.memory_growing(40, 41, None).expect("an answer"));
        assert_eq!(meter.denied(), Some(101));
    }
}
