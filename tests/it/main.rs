//! The promises of Weft, kept by whole engines: one file for each.

mod promise_1;
mod promise_2;
mod promise_3;
