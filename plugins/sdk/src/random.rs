//! Dice that nobody can foresee. The step must grant `random`; without it, random bytes are seeded by event and output.

/// Bytes of one request at most.
const AT_ONCE: usize = 4096;

/// So many bytes of the system's own source, good enough for keys.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        let more = (count - bytes.len()).min(AT_ONCE);
        bytes.extend(host::bytes(u32::try_from(more).unwrap_or_default()));
    }
    bytes
}

#[cfg(target_family = "wasm")]
mod host {
    pub(super) use crate::bindings::random::bytes;
}

/// Outside a host, as in native tests: [`crate::testing::Granted`].
#[cfg(not(target_family = "wasm"))]
mod host {
    use crate::testing::granted;

    pub(super) fn bytes(count: u32) -> Vec<u8> {
        granted(|host| (0..count).map(|_| host.next_random()).collect())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_many_bytes_as_asked_for_come_in_several_requests() {
        assert_eq!([0, 1, 10_000].map(|count| super::bytes(count).len()), [0, 1, 10_000]);
    }
}
