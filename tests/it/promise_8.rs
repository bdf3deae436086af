//! Promise 8, nobody gets in: every call is authenticated and sees its own tenant's things only, what is dialled is guarded
//! when it is dialled, and secrets are sealed and never shown.

mod guard;
mod keys;
mod secrets;
mod tenants;
