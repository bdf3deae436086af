//! What a store must do, whatever the database behind it.
//!
//! Each file is about one operation. The scene (`scene.rs`) opens a real store in a folder of its own; time is a number.

mod catalog;
mod claim;
mod dead_letters;
mod dedupe;
mod finish;
mod keep;
mod plugins;
mod prune;
mod record;
mod replay;
mod scene;
mod sqlite_check;
mod sqlite_file;
