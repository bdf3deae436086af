//! From rows to nouns, whichever database the rows are of.

pub(crate) mod catalog;
mod cells;
pub(crate) mod check;
pub(crate) mod dead_letter;
pub(crate) mod history;
pub(crate) mod plugin;
pub(crate) mod prune;
pub(crate) mod replay;
pub(crate) mod upkeep;
pub(crate) mod work;

pub(crate) use self::cells::Cells;
