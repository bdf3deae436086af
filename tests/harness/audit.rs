//! `weft check` on a site, beside a running engine or without one.

use weft_store::Store;
use weft_store::check::Counted;

use crate::Site;

/// Checks everything that the site's store holds, and answers what was counted.
///
/// # Panics
/// If anything is wrong with it: shows every finding.
pub async fn audit(site: &Site) -> Counted {
    let mut snapshot = Store::open_snapshot(site.store_at()).await.expect("the site has a store");
    let report = snapshot.check().await.expect("the store can be read");
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "weft check finds:\n{}", findings.join("\n"));
    report.counted
}
