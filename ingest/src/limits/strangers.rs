//! Requests that may not post, counted by address: beyond a limit they are answered with 429 and their connection is closed.
//!
//! Only failures are counted, and a good token is let in whatever its address has done: a token cannot be guessed, and a lead
//! that is refused may be lost.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// Addresses that are remembered at most: 4 MiB. When there are more, the quiet ones are forgotten, and if that does not help, new
/// ones share one count.
const MOST_ADDRESSES: usize = 32_768;
/// Stands for all addresses that there is no room for.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Counts failures by address.
pub(crate) struct Strangers {
    limiter: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
    most_addresses: usize,
}

impl Strangers {
    /// So many failures a minute are answered as what they are.
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::hashmap(Quota::per_minute(per_minute)), most_addresses: MOST_ADDRESSES }
    }

    /// Counts a failure of this address.
    ///
    /// # Errors
    /// How long until one is answered again, when there were too many.
    pub(crate) fn failed(&self, address: IpAddr) -> Result<(), Duration> {
        if self.limiter.len() >= self.most_addresses {
            self.limiter.retain_recent();
        }
        let full = self.limiter.len() >= self.most_addresses;
        let counted = if full { OTHERS } else { network(address) };
        self.limiter.check_key(&counted).map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}

/// What one client is likely to own: an IPv4 address, or the 64 bits of an IPv6 network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strangers(per_minute: u32, most_addresses: usize) -> Strangers {
        Strangers { most_addresses, ..Strangers::new(NonZeroU32::new(per_minute).unwrap()) }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own_count() {
        let strangers = strangers(2, 100);
        let answers = ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"].map(|from| strangers.failed(address(from)).is_ok());
        assert_eq!(answers, [true, true, false, true]);
        assert!(strangers.failed(address("192.0.2.1")).unwrap_err() <= Duration::from_secs(30), "two a minute");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_mapped_address_is_that_of_ipv4() {
        let strangers = strangers(1, 100);
        assert!(strangers.failed(address("2001:db8::1")).is_ok());
        assert!(strangers.failed(address("2001:db8::2")).is_err());
        assert!(strangers.failed(address("2001:db8:0:1::1")).is_ok());
        assert!(strangers.failed(address("192.0.2.1")).is_ok());
        assert!(strangers.failed(address("::ffff:192.0.2.1")).is_err());
    }

    #[test]
    fn addresses_without_end_take_no_memory_without_end() {
        let strangers = strangers(1, 100);
        let mut answered = 0;
        for low in 0..10_000_u32 {
            answered += usize::from(strangers.failed(IpAddr::V4(low.into())).is_ok());
        }
        assert!(strangers.limiter.len() <= 101, "{}", strangers.limiter.len());
        assert!(answered <= 102, "those without a place share one count: {answered}");
    }
}
