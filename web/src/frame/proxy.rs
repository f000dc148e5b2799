//! Whom a request really comes from when proxies stand in between.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use super::middleware::Peer;

/// The header in which proxies tell whom they speak for: the client first, each proxy's own client behind it.
const FORWARDED: &str = "x-forwarded-for";

/// The address a request came from: the connection's, or, when that is a trusted proxy, the last address in
/// `X-Forwarded-For` that is none. What stands before it anybody could have written.
pub fn client_address(trusted: &[IpNet], request: &Extensions, headers: &HeaderMap) -> IpAddr {
    let peer = request.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let Some(mut address) = peer else {
        return IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    };
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    for named in backwards(headers) {
        if !is_trusted(&address) {
            break;
        }
        match named {
            Some(named) => address = named,
            None => break,
        }
    }
    address
}

/// The named addresses, the last first; none for what is no address.
fn backwards(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).iter().rev();
    let words = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    words.map(|word| word.trim().parse().ok().map(|ip: IpAddr| ip.to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&'static str]) -> String {
        let trusted = ["127.0.0.0/8", "10.1.0.0/16"].map(|net| net.parse().expect("a network"));
        let mut request = Extensions::new();
        let peer: IpAddr = peer.parse().expect("an address");
        request.insert(Peer((peer, 1).into()));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED, line.parse().expect("a header"));
        }
        client_address(&trusted, &request, &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_name_another_address() {
        assert_eq!(address("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        let forged = ["203.0.113.9, 198.51.100.7"];
        assert_eq!(address("127.0.0.1", &forged), "198.51.100.7");
        assert_eq!(
            address("127.0.0.1", &["203.0.113.9", "198.51.100.7"]),
            "198.51.100.7"
        );
    }

    #[test]
    fn proxies_behind_proxies_are_passed() {
        let chain = ["198.51.100.7, 10.1.2.3"];
        assert_eq!(address("127.0.0.1", &chain), "198.51.100.7");
        assert_eq!(address("::ffff:127.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn without_a_word_it_is_the_proxy() {
        assert_eq!(address("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(
            address("127.0.0.1", &["198.51.100.7, unknown"]),
            "127.0.0.1"
        );
        assert_eq!(address("127.0.0.1", &["10.1.0.9"]), "10.1.0.9");
    }
}
