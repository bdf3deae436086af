//! Named points around each commit where a build with the feature `failpoints` can be made to die.
//!
//! `FAILPOINTS="store::keep::before_commit=return"` (or `20*off->return`) aborts the process there, as a power cut would.

macro_rules! failpoints {
    ($($before:ident $after:ident = $operation:literal;)+) => {
        $(
            pub(crate) const $before: &str = concat!("store::", $operation, "::before_commit");
            pub(crate) const $after: &str = concat!("store::", $operation, "::after_commit");
        )+

        /// Every point, for tests that must visit all of them.
        pub const FAILPOINTS: &[&str] = &[$($before, $after),+];
    };
}

failpoints! {
    KEEP_BEFORE KEEP_AFTER = "keep";
    CLAIM_PASSES_BEFORE CLAIM_PASSES_AFTER = "claim_passes";
    FINISH_PASSES_BEFORE FINISH_PASSES_AFTER = "finish_passes";
    CLAIM_DELIVERIES_BEFORE CLAIM_DELIVERIES_AFTER = "claim_deliveries";
    RECORD_BEFORE RECORD_AFTER = "record";
    RELEASE_BEFORE RELEASE_AFTER = "release";
    JOB_BEFORE JOB_AFTER = "job";
}

/// Dies here if the point has been armed; without the feature it is nothing.
#[cfg(feature = "failpoints")]
pub(crate) fn reached(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
}

/// Dies here if the point has been armed; without the feature it is nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn reached(_: &str) {}
