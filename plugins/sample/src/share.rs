//! A share of all keys, chosen by their hash.
//!
//! A key is held if its hash lies below the share of all hashes. So the answer for a key is the same in every instance,
//! for ever; and a larger share holds all that a smaller one holds.

use serde::Deserialize;

/// A share of all keys.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Share {
    percent: f64,
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(percent: f64) -> Result<Self, String> {
        if (0.0..=100.0).contains(&percent) {
            Ok(Self { percent })
        } else {
            Err(format!("{percent} is out of 0 to 100"))
        }
    }
}

/// Hashes are spread over 0 to this.
const HASHES: f64 = 18_446_744_073_709_551_616.0;

impl Share {
    pub(crate) fn percent(self) -> f64 {
        self.percent
    }

    /// Whether the key is held. Another salt chooses other keys.
    pub(crate) fn holds(self, salt: &str, key: &str) -> bool {
        // 100 % of 2^64 is no u64; the cast of less is exact enough, and never falls as the percentage grows.
        self.percent >= 100.0 || hash(salt, key) < (self.percent / 100.0 * HASHES) as u64
    }
}

/// FNV-1a of both texts, with the last steps of MurmurHash3, without which close keys have close hashes.
///
/// It is part of what the plugin promises: another hash would choose other events.
fn hash(salt: &str, key: &str) -> u64 {
    // A byte that no text holds keeps ("a", "bc") apart from ("ab", "c").
    let bytes = salt.bytes().chain([0xff]).chain(key.bytes());
    let fnv = bytes
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(percent: f64) -> Share {
        percent.try_into().expect("a share")
    }

    /// How many of 20,000 keys are held, in percent.
    fn held(percent: f64, salt: &str) -> f64 {
        let count = (0..20_000).filter(|key| share(percent).holds(salt, &format!("cus_{key}"))).count();
        f64::from(u32::try_from(count).expect("a small count")) / 200.0
    }

    #[test]
    fn as_many_keys_are_held_as_the_share_says() {
        for percent in [0.5, 1.0, 12.5, 50.0, 99.5] {
            let found = held(percent, "");
            assert!((found - percent).abs() < 0.8, "{found} for {percent}");
        }
        assert_eq!((held(0.0, ""), held(100.0, "")), (0.0, 100.0), "none and all, exactly");
    }

    #[test]
    fn a_larger_share_holds_all_that_a_smaller_one_holds() {
        let shares = [0.0, 0.01, 0.1, 1.0, 9.99, 10.0, 33.333, 50.0, 99.999, 100.0].map(share);
        for key in 0..5_000 {
            let key = format!("evt_{key:026}");
            for pair in shares.windows(2) {
                assert!(!pair[0].holds("", &key) || pair[1].holds("", &key), "{key}: {pair:?}");
            }
        }
    }

    #[test]
    fn another_salt_chooses_other_keys() {
        let both = (0..20_000).map(|key| format!("cus_{key}"));
        let both = both.filter(|key| share(50.0).holds("", key) && share(50.0).holds("b", key)).count();
        assert!((4_500..5_500).contains(&both), "{both} of 20,000 lie in both halves");
    }

    #[test]
    fn the_hash_of_a_key_never_changes() {
        assert_eq!(hash("", "evt_00000000000000000000000001"), 12_050_829_415_236_244_754);
        assert_eq!(hash("blue", "größe"), 6_417_297_097_702_749_403);
        assert_ne!(hash("a", "bc"), hash("ab", "c"));
    }

    #[test]
    fn what_is_no_percentage_is_no_share() {
        for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert!(Share::try_from(bad).is_err(), "{bad}");
        }
    }
}
