//! What the tests of the whole engine stand on: real engines, real receivers, real components.
//!
//! A [`Site`] is what an engine is started on: a folder with a configuration, keys and plugins. A [`Weft`] is an engine inside
//! the test's own process, on a clock that the test moves; an [`Engine`] is the program `weft` as a child process that can
//! be killed. Both are spoken to through a [`Caller`], and both send to [`Receiver`]s, which refuse what does not verify.
//!
//! Nothing here sleeps. What a test waits for is a condition, looked at again whenever something has happened;
//! [`within`] bounds it, so that a broken engine is a failed test and not a test without an end.

mod audit;
mod caller;
mod component;
mod engine;
mod event;
mod foreign;
mod listener;
mod load;
mod patience;
mod program;
mod programs;
mod receiver;
mod request;
mod rewritten;
mod site;
mod small_disk;
mod weft;

pub use audit::audit;
pub use caller::Caller;
pub use component::{component, version_of};
pub use engine::{Engine, Launch, Stillborn};
pub use event::{Order, order};
pub use foreign::{Foreign, Language};
pub use listener::Listener;
pub use load::{Acknowledged, Load};
pub use patience::within;
pub use program::{Program, Said, caller_at};
pub use receiver::{Answer, Received, Receiver};
pub use request::{Answered, Request};
pub use rewritten::{Rewritten, RewrittenWeft};
pub use site::{Destination, Site, Step, Tenant};
pub use small_disk::SmallDisk;
pub use weft::Weft;
