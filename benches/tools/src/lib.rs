//! What the floor, the load generator and the sink share: one HTTP, one payload, one way to read a clock and a process.

pub mod against;
pub mod clock;
pub mod http;
pub mod machine;
pub mod payload;
pub mod quantiles;
pub mod report;
pub mod svix;
