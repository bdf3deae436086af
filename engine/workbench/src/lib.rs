//! Where a plugin is made: everything that its author does before an engine sees it.
//!
//! A [`Project`] is a folder with a `plugin.json`; [`scaffold()`] makes one, [`build::build`] makes its component. A [`Stand`] runs a component
//! on [`Fixture`]s as the engine would, under the same limits and without any effect.

pub mod build;
mod difference;
mod fixture;
mod project;
mod scaffold;
mod stand;

pub use difference::difference;
pub use fixture::{Fixture, Pair, pairs_in};
pub use project::{Language, Project, ROLES};
pub use scaffold::scaffold;
pub use stand::{Run, Stand};
