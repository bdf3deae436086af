//! What Weft may dial beyond public addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use weft_outbound::{AddressGuard, Cidr};

use super::reader::Field;

/// Most blocks that `network.allow` may name: more are a sign that the guard is being taken apart.
const ALLOW_MAX: usize = 256;

/// The first and the last address of each family: only a block of all addresses holds both.
const EDGES: [[IpAddr; 2]; 2] = [
    [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST)],
    [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::from_bits(u128::MAX))],
];

/// What Weft may dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Blocks that the address guard would refuse and that may be dialled all the same.
    pub allow: Vec<Cidr>,
}

impl NetworkConfig {
    /// The guard that lets through what is public and what is allowed here.
    pub fn guard(&self) -> AddressGuard {
        AddressGuard::new(self.allow.clone())
    }

    /// Reads `[network]`; entries that are wrong are left out and among the findings.
    pub(super) fn read(field: Option<Field<'_>>, listen: Option<SocketAddr>) -> Self {
        let Some(table) = field.and_then(Field::table) else { return Self::default() };
        let entries = table.field("allow").map(|field| field.list(ALLOW_MAX)).unwrap_or_default();
        let allow = entries.into_iter().filter_map(|entry| block(entry, listen)).collect();
        table.finish();
        Self { allow }
    }
}

/// Reads one block and warns where it opens more than was probably meant.
fn block(entry: Field<'_>, listen: Option<SocketAddr>) -> Option<Cidr> {
    let block: Cidr = entry.parsed()?;
    if EDGES.iter().any(|edges| edges.iter().all(|edge| block.contains(*edge))) {
        entry.warning("allows every address: whoever may add a destination can make Weft call into your own network");
    } else if let Some(listen) = listen.filter(|at| !at.ip().is_loopback() && holds_loopback(&block, entry)) {
        entry.warning(format!(
            "allows this machine's own services while the API is open to others at {listen}: whoever may add a destination \
             reaches them; listen on 127.0.0.1, or leave this out"
        ));
    }
    Some(block)
}

/// Whether the block, which `entry` is, holds a loopback address or lies among them.
fn holds_loopback(block: &Cidr, entry: Field<'_>) -> bool {
    let first = entry.text().and_then(|text| text.split('/').next()?.parse::<IpAddr>().ok());
    first.is_some_and(|first| first.to_canonical().is_loopback())
        || block.contains(IpAddr::V4(Ipv4Addr::LOCALHOST))
        || block.contains(IpAddr::V6(Ipv6Addr::LOCALHOST))
}
