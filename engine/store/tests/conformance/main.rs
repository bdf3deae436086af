//! What a store must do, whatever the database behind it.
//!
//! Each file is about one operation. The scene (`scene.rs`) opens a real store in a folder of its own; time is a number.

mod keep;
mod scene;
