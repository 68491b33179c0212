//! Where leads are posted to. Whoever needs the path of an endpoint asks here.

use leadline_proto::EndpointName;

/// The one route, with the endpoint's name to be filled in.
pub const ROUTE: &str = "/v1/leads/{endpoint}";
/// What is filled in.
pub(crate) const ENDPOINT: &str = "endpoint";
/// The parameter of the query that holds the token.
pub(crate) const TOKEN: &str = "sig";

/// The path of an endpoint.
pub fn path(endpoint: &EndpointName) -> String {
    ROUTE.replace(&format!("{{{ENDPOINT}}}"), endpoint.as_str())
}

/// The URL that a sender posts to. It is a secret, as it holds the token. `base` is scheme and host.
pub fn url(base: &str, endpoint: &EndpointName, token: &str) -> String {
    format!("{}{}?{TOKEN}={token}", base.trim_end_matches('/'), path(endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_base_path_and_token() {
        let endpoint = "contoso-backup".parse().unwrap();
        let expected = "https://leads.contoso.example/v1/leads/contoso-backup?sig=a1";
        assert_eq!(url("https://leads.contoso.example", &endpoint, "a1"), expected);
        assert_eq!(url("https://leads.contoso.example/", &endpoint, "a1"), expected);
    }
}
