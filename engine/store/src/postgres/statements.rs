//! How statements are written down and given their values.

use std::borrow::Cow;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;

/// A statement that is being given its values.
pub(super) type Statement<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// Declares statements; tests prepare each of them, and read the query plans of the claims.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* const $name: &str = $sql;)+

        #[cfg(test)]
        pub(in crate::postgres) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}
pub(super) use statements;

/// A text as Postgres can hold it: NUL, which it cannot, becomes U+FFFD.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
