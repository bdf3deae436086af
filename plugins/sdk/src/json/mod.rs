//! JSON payloads without a tree: values are found by pointer and stay slices of the payload.
//!
//! A tree costs an allocation for each string, list and object; in a fresh instance, where the first use of every page of
//! memory costs too, that is more than all other work together, and grows with the payload. [`pick`] reads the text once,
//! whole, and hands out the wanted parts; [`Value`] looks at one of them. Numbers are compared as written, digit by digit:
//! nothing is rounded.

mod children;
mod number;
mod pick;
mod pointer;
mod quote;
mod value;

pub use children::{elements, members};
pub use number::Number;
pub use pick::{NotJson, Picked, pick};
pub use pointer::{InvalidPointer, POINTER_TOKENS_MAX, Pointer, Token};
pub use quote::push_string;
pub use serde_json::value::RawValue;
pub use value::{Scalar, Value};
