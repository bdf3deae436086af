//! The API as a stranger meets it: real requests, over a real connection, to a whole engine on a real store.

mod access;
mod events;
mod operations;
mod payloads;
mod served;
mod serving;
