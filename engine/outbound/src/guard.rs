//! What Weft may dial.
//!
//! A tenant writes a destination's URL, so without a guard it could make Weft knock on the machines beside it. The guard
//! knows addresses only: it is asked at connect time, for the very address that is dialled next, so that neither a spelling
//! nor a name that changes its mind gets around it. `connect.rs` asks it for names and literals alike.

use std::net::IpAddr;

use crate::cidr::Cidr;

/// Refuses addresses that are not public, except for those that the operator allows.
#[derive(Clone, Debug, Default)]
pub struct AddressGuard {
    allowed: Vec<Cidr>,
}

/// An address that the guard refuses, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} lies in {block} ({what}), which the operator does not allow")]
pub struct Forbidden {
    /// The address as it would have been dialled.
    pub address: IpAddr,
    /// The refused block around it.
    pub block: Cidr,
    /// What the block is for.
    pub what: &'static str,
}

impl AddressGuard {
    /// A guard that lets through what is public, and what lies in one of `allowed`.
    pub fn new(allowed: Vec<Cidr>) -> Self {
        Self { allowed }
    }

    /// Lets `address` through, or says why not. An IPv4-mapped address is judged as the IPv4 address that it reaches.
    ///
    /// # Errors
    /// [`Forbidden`] if it lies in a refused block and in no allowed one.
    pub fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        match REFUSED.iter().find(|(block, _)| block.contains(address)) {
            Some(&(block, what)) if !self.allowed.iter().any(|allowed| allowed.contains(address)) => {
                Err(Forbidden { address, block, what })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Everything that is no public unicast address, by the IANA special-purpose registries (RFC 6890 and its successors), and
/// the forms of IPv6 that a gateway turns back into any IPv4 address.
const REFUSED: &[(Cidr, &str)] = &[
    (Cidr::v4([0, 0, 0, 0], 8), "this host"),
    (Cidr::v4([10, 0, 0, 0], 8), "private network"),
    (Cidr::v4([100, 64, 0, 0], 10), "carrier-grade NAT"),
    (Cidr::v4([127, 0, 0, 0], 8), "loopback"),
    (Cidr::v4([169, 254, 0, 0], 16), "link-local, cloud metadata"),
    (Cidr::v4([172, 16, 0, 0], 12), "private network"),
    (Cidr::v4([192, 0, 0, 0], 24), "protocol assignments"),
    (Cidr::v4([192, 0, 2, 0], 24), "documentation"),
    (Cidr::v4([192, 88, 99, 0], 24), "6to4 relay"),
    (Cidr::v4([192, 168, 0, 0], 16), "private network"),
    (Cidr::v4([198, 18, 0, 0], 15), "benchmarks"),
    (Cidr::v4([198, 51, 100, 0], 24), "documentation"),
    (Cidr::v4([203, 0, 113, 0], 24), "documentation"),
    (Cidr::v4([224, 0, 0, 0], 4), "multicast"),
    (Cidr::v4([240, 0, 0, 0], 4), "reserved, broadcast"),
    // A public address that every virtual machine in Azure reaches its host's services by.
    (Cidr::v4([168, 63, 129, 16], 32), "Azure host services"),
    (Cidr::v6_bits(1, 128), "loopback"),
    (Cidr::v6_bits(0, 96), "unspecified, IPv4-compatible"),
    (Cidr::v6_bits(0xffff_0000_0000_0000, 96), "IPv4-translated"),
    (Cidr::v6([0x64, 0xff9b, 0], 96), "NAT64"),
    (Cidr::v6([0x64, 0xff9b, 1], 48), "local NAT64"),
    (Cidr::v6([0x100, 0, 0], 64), "discard"),
    (Cidr::v6([0x2001, 0, 0], 32), "Teredo"),
    (Cidr::v6([0x2001, 0xdb8, 0], 32), "documentation"),
    (Cidr::v6([0x2002, 0, 0], 16), "6to4"),
    (Cidr::v6([0x3fff, 0, 0], 20), "documentation"),
    (Cidr::v6([0x5f00, 0, 0], 16), "segment routing"),
    (Cidr::v6([0xfc00, 0, 0], 7), "private network"),
    (Cidr::v6([0xfe80, 0, 0], 10), "link-local"),
    (Cidr::v6([0xfec0, 0, 0], 10), "site-local"),
    (Cidr::v6([0xff00, 0, 0], 8), "multicast"),
];

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn check(address: &str, allowed: &[&str]) -> Result<(), Forbidden> {
        let allowed = allowed.iter().map(|block| block.parse().expect("a block")).collect();
        AddressGuard::new(allowed).check(address.parse().expect("an address"))
    }

    /// First and last address of every range that is to be refused, beside the neighbours that are public.
    #[test]
    fn promise_8_every_range_that_is_not_public_is_refused_to_its_edges() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("169.254.169.254", "169.254.170.2"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("::", "::1"),
            ("::127.0.0.1", "::255.255.255.255"),
            ("::ffff:0:127.0.0.1", "::ffff:0:255.255.255.255"),
            ("64:ff9b::", "64:ff9b::255.255.255.255"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            ("100::", "100::ffff:ffff:ffff:ffff"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            for address in [first, last] {
                let refused = check(address, &[]).expect_err(address);
                assert!(refused.block.contains(refused.address), "{refused}");
            }
        }
    }

    #[test]
    fn public_addresses_beside_the_refused_ranges_pass() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700:4700::1111",
            "3fff:1000::",
        ] {
            assert_eq!(check(address, &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn an_allowed_block_opens_itself_and_nothing_beside_it() {
        assert_eq!(check("127.0.0.1", &["127.0.0.1/32"]), Ok(()));
        assert_eq!(check("::ffff:127.0.0.1", &["127.0.0.1/32"]), Ok(()));
        assert_eq!(check("127.0.0.1", &["::ffff:127.0.0.1/128"]), Ok(()));
        assert!(check("127.0.0.2", &["127.0.0.1/32"]).is_err());
        assert!(check("::1", &["127.0.0.1/32"]).is_err());
        // What a gateway makes of an address is not known here: its own block must be allowed.
        assert!(check("64:ff9b::127.0.0.1", &["127.0.0.1/32"]).is_err());
        assert!(check("2002:7f00:1::", &["127.0.0.1/32"]).is_err());
    }

    proptest! {
        #[test]
        fn promise_8_an_ipv4_mapped_address_is_judged_as_its_ipv4_address(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let guard = AddressGuard::default();
            let plain = guard.check(IpAddr::V4(v4));
            let mapped = guard.check(IpAddr::V6(v4.to_ipv6_mapped()));
            prop_assert_eq!(plain.map_err(|f| f.block), mapped.map_err(|f| f.block));
        }

        #[test]
        fn promise_8_no_ipv6_form_that_embeds_ipv4_passes_by_default(bits: u32) {
            let guard = AddressGuard::default();
            let embedded = u128::from(bits);
            for form in [
                embedded,
                (0xffff_u128 << 48) | embedded,
                (0x64_ff9b_u128 << 96) | embedded,
                (0x2002_u128 << 112) | (embedded << 80),
            ] {
                prop_assert!(guard.check(IpAddr::V6(Ipv6Addr::from_bits(form))).is_err());
            }
        }

        #[test]
        fn promise_8_what_the_standard_library_calls_private_never_passes(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let private = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_unspecified() || v4.is_documentation();
            prop_assert!(!private || AddressGuard::default().check(IpAddr::V4(v4)).is_err());
        }
    }
}
