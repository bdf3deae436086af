//! Bad input: whatever comes in, the answer says what is wrong and the way out, nothing is lost, and nothing stops.

mod components;
mod configurations;
mod requests;
mod starts;
