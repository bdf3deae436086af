//! A block of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses of one family, e.g. `10.0.0.0/8`.
///
/// A block below `::ffff:0:0/96` is the IPv4 block that it maps, so that a block has one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// Why a text is not a [`Cidr`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCidr {
    /// It does not begin with an address.
    #[error("{0:?} is not a block of addresses: write an address, or one with a prefix, as in 10.0.0.0/8")]
    Address(String),
    /// The prefix is no number, or longer than the address.
    #[error("{text:?}: the prefix must be a number from 0 to {max}")]
    Prefix {
        /// As it was written.
        text: String,
        /// Bits of the address.
        max: u8,
    },
    /// The address has bits beyond the prefix, so that one of the two is a mistake.
    #[error("{text:?} has bits beyond its prefix: write {meant} for the block, or {address} for the one address")]
    HostBits {
        /// As it was written.
        text: String,
        /// The block around the address.
        meant: Cidr,
        /// The address.
        address: IpAddr,
    },
}

/// Prefix of the IPv6 block that maps all of IPv4.
const MAPPED_PREFIX: u8 = 96;

impl Cidr {
    /// The IPv4 block that begins with `network`; the caller keeps to `prefix <= 32`.
    pub(crate) const fn v4(network: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = network;
        Self { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    /// The IPv6 block whose first segments are these; the caller keeps to `prefix <= 128`.
    pub(crate) const fn v6(first: [u16; 3], prefix: u8) -> Self {
        let [a, b, c] = first;
        Self { network: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix }
    }

    /// The IPv6 block that begins with `network`; the caller keeps to `prefix <= 128`.
    pub(crate) const fn v6_bits(network: u128, prefix: u8) -> Self {
        Self { network: IpAddr::V6(Ipv6Addr::from_bits(network)), prefix }
    }

    /// Whether `address` lies in this block. An IPv4-mapped address lies where its IPv4 address lies.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing & mask_v4(self.prefix) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing & mask_v6(self.prefix) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The block of this prefix around `address`.
    fn around(address: IpAddr, prefix: u8) -> Self {
        let network = match address {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask_v4(prefix))),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask_v6(prefix))),
        };
        Self { network, prefix }
    }
}

const fn mask_v4(prefix: u8) -> u32 {
    if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }
}

const fn mask_v6(prefix: u8) -> u128 {
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidCidr::Address(text.to_owned()))?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => max,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= max && digits.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| InvalidCidr::Prefix { text: text.to_owned(), max })?,
        };
        let block = Self::around(address, prefix);
        if block.network != address {
            return Err(InvalidCidr::HostBits { text: text.to_owned(), meant: block, address });
        }
        match address.to_canonical() {
            IpAddr::V4(network) if address.is_ipv6() && prefix >= MAPPED_PREFIX => {
                Ok(Self { network: IpAddr::V4(network), prefix: prefix - MAPPED_PREFIX })
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(block),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().expect(text)
    }

    #[test]
    fn a_block_holds_its_first_and_last_address_and_no_neighbour() {
        for (block, inside, outside) in [
            ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            ("127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1"], ["127.0.0.2", "::1"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "2001:db8::1"]),
            ("fc00::/7", ["fc00::", "fdff:ffff::1"], ["fbff::", "fe00::"]),
            ("::/0", ["::", "ffff::"], ["1.2.3.4", "::ffff:1.2.3.4"]),
            ("::ffff:10.0.0.0/104", ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.0", "::10.0.0.1"]),
        ] {
            let block = cidr(block);
            for address in inside {
                assert!(block.contains(address.parse().expect(address)), "{block} {address}");
            }
            for address in outside {
                assert!(!block.contains(address.parse().expect(address)), "{block} {address}");
            }
        }
    }

    #[test]
    fn a_mistaken_block_is_refused_with_the_way_out() {
        for (text, says) in [
            ("localhost", "write an address"),
            ("", "write an address"),
            ("127.1/8", "write an address"),
            ("10.0.0.0/33", "0 to 32"),
            ("10.0.0.0/+8", "0 to 32"),
            ("10.0.0.0/", "0 to 32"),
            ("::1/129", "0 to 128"),
            ("127.0.0.1/8", "write 127.0.0.0/8 for the block, or 127.0.0.1 for the one address"),
        ] {
            let error = text.parse::<Cidr>().expect_err(text).to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_block_reads_back_as_it_is_shown() {
        for text in ["10.0.0.0/8", "127.0.0.1/32", "fc00::/7", "::1/128", "0.0.0.0/0"] {
            assert_eq!(cidr(text).to_string(), text);
        }
    }
}
