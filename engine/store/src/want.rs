//! Wishes for deliveries, put together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::work::Want;

/// One want for each destination: nothing is leased before all have been looked up, so a second would find the same rows.
pub(crate) fn merged(wants: &[Want]) -> Vec<Want> {
    let mut merged: Vec<Want> = Vec::with_capacity(wants.len());
    let mut places = HashMap::with_capacity(wants.len());
    for want in wants {
        match places.entry(want.destination) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(*want);
            }
            Entry::Occupied(place) => {
                let count = &mut merged[*place.get()].count;
                *count = count.saturating_add(want.count);
            }
        }
    }
    merged
}
