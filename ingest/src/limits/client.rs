//! Which address a request comes from. Behind a proxy it is what the proxy says, if the operator trusts that proxy.
//!
//! It is used to count failures and never written anywhere.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// Where each proxy adds whom it was called by, at the end.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the client: the last one on the way here that is no trusted proxy.
pub(crate) fn address(request: &HttpRequest, trusted: &[IpNet]) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    // Several headers are one list. What stands left of an untrusted or unreadable entry is anybody's claim.
    let lists = request.headers().get_all(FORWARDED_FOR).filter_map(|list| list.to_str().ok()).collect::<Vec<_>>();
    let mut client = peer;
    for entry in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        let Some(address) = parse(entry.trim()) else { break };
        client = address;
        if !is_trusted(&address) {
            break;
        }
    }
    client
}

/// An address, also with a port as some proxies write it.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.parse::<IpAddr>().ok();
    let with_port = || entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn client(peer: &str, headers: &[&'static str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let request = TestRequest::default().peer_addr(format!("{peer}:1").parse().unwrap());
        let request = headers.iter().fold(request, |request, list| request.append_header((FORWARDED_FOR, *list)));
        address(&request.to_http_request(), &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("[::ffff:10.0.0.1]", &["198.51.100.1"]), "198.51.100.1", "listening on [::]");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_writes_itself_is_not_believed() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9", "198.51.100.1, 10.0.0.2"]), "198.51.100.1", "two headers, two proxies");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3", "somebody inside");
    }

    #[test]
    fn ports_and_brackets_are_read() {
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("[fd00::1]", &["2001:db8::1"]), "2001:db8::1");
    }
}
