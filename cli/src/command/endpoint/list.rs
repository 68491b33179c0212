//! `leadline endpoint list`: what the configuration says about endpoints. No contacts: they are people's addresses.

use jiff::Timestamp;
use leadline_platform::config::Settings;
use leadline_platform::process::Fatal;
use leadline_proto::SinkName;
use leadline_proto::config::{Endpoint, Endpoints};
use serde_json::{Value, json};

use super::tokens;
use crate::product;

pub(super) fn run(as_json: bool, settings: &Settings, endpoints: &Endpoints) -> Result<(), Fatal> {
    let sinks = product::sinks(settings)?;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&told(endpoints, &sinks, Timestamp::now())).map_err(Fatal::internal)?);
        return Ok(());
    }
    if endpoints.is_empty() {
        println!("the configuration has no endpoint; `leadline endpoint new NAME` makes one");
    }
    for (name, endpoint) in endpoints {
        let offer = endpoint.offer_id.as_deref().map(|offer| format!("  offer {offer}")).unwrap_or_default();
        println!("{name}{offer}  sinks {}", fed(endpoint, &sinks).join(", "));
        endpoint.tokens.iter().for_each(|token| println!("  {}", tokens::line(token, None)));
        if !endpoint.tokens.any_live(Timestamp::now()) {
            println!("  no good token: nothing can post there");
        }
    }
    Ok(())
}

/// The sinks that get leads of an endpoint.
fn fed<'a>(endpoint: &Endpoint, sinks: &'a [SinkName]) -> Vec<&'a str> {
    sinks.iter().filter(|sink| endpoint.routes_to(sink)).map(SinkName::as_str).collect()
}

fn told(endpoints: &Endpoints, sinks: &[SinkName], now: Timestamp) -> Value {
    let endpoint = |(name, endpoint): (_, &Endpoint)| {
        let token = |token: &leadline_proto::config::Token| json!({"id": token.id(), "expires": token.expires(), "live": token.is_live(now)});
        json!({
            "endpoint": name,
            "offer_id": endpoint.offer_id,
            "sinks": fed(endpoint, sinks),
            "tokens": endpoint.tokens.iter().map(token).collect::<Vec<_>>(),
        })
    };
    endpoints.iter().map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use leadline_proto::config::{Token, TokenHash};

    use super::*;

    #[test]
    fn a_list_tells_what_a_program_needs_and_no_address() {
        let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let token = Token::new(TokenHash::of("a"), Some(end), Some("2026-11".parse().unwrap()));
        let endpoint = Endpoint {
            tokens: vec![token].try_into().unwrap(),
            contacts: "ann@contoso.example".to_owned().try_into().unwrap(),
            sinks: Some(vec!["crm".parse().unwrap()]),
            ..Endpoint::default()
        };
        let endpoints = Endpoints::from([("shop".parse().unwrap(), endpoint)]);
        let sinks = ["crm", "email"].map(|sink| sink.parse().unwrap());
        let expected = |live: bool| {
            let token = json!({"id": "2026-11", "expires": "2026-12-01T00:00:00Z", "live": live});
            json!([{"endpoint": "shop", "offer_id": null, "sinks": ["crm"], "tokens": [token]}])
        };
        assert_eq!(told(&endpoints, &sinks, "2026-11-23T00:00:00Z".parse().unwrap()), expected(true));
        assert_eq!(told(&endpoints, &sinks, end), expected(false));
    }
}
