//! Names that may be given once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use weft_core::name::Name;

use super::finding::Place;
use super::reader::Field;

/// The names of one kind that have been given.
pub(super) struct Unique {
    noun: &'static str,
    given: HashMap<Name, Place>,
}

impl Unique {
    /// No name yet; `noun` is what the names are of.
    pub(super) fn of(noun: &'static str) -> Self {
        Self { noun, given: HashMap::new() }
    }

    /// Reads a name that nobody else has; a second one is a problem that says where the first is.
    pub(super) fn claim(&mut self, field: Field<'_>) -> Option<Name> {
        let name: Name = field.parsed()?;
        self.add(&name, field);
        Some(name)
    }

    /// The same for a name that was made from `field`.
    pub(super) fn add(&mut self, name: &Name, field: Field<'_>) {
        match self.given.entry(name.clone()) {
            Entry::Vacant(free) => {
                free.insert(field.place().clone());
            }
            Entry::Occupied(first) => {
                let (noun, first) = (self.noun, first.get().file_and_line());
                field.problem::<()>(format!("there is a {noun} {name} already ({first}); give this one another name"));
            }
        }
    }
}
