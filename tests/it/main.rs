//! The promises of Weft, kept by whole engines: one file for each, and one for the faults under which they must hold.

mod bad_input;
mod faults;
mod languages;
mod ledger;
mod lending;
mod promise_1;
mod promise_2;
mod promise_3;
mod promise_4;
mod promise_5;
mod promise_6;
mod promise_7;
mod promise_8;
mod promise_9;
mod receivers;
