//! Who may post: the endpoint must exist, the token must be one of its tokens, the media type must be JSON.
//!
//! Nothing of the body has been read here. A token is compared with every hash of its endpoint in constant time, so that the
//! answer's time tells nothing about it.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use leadline_proto::EndpointName;
use leadline_proto::config::{Endpoint, Endpoints, TokenHash};
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq};

use crate::problem::Problem;

/// The part of the query that is read.
#[derive(Deserialize)]
struct Query {
    sig: Option<String>,
}

/// Finds the endpoint of a request and checks that it may post there.
pub(crate) fn admit<'a>(request: &HttpRequest, endpoints: &'a Endpoints) -> Result<(EndpointName, &'a Endpoint), Problem> {
    let name: EndpointName = request.match_info().query("endpoint").parse().map_err(|_| Problem::NotFound)?;
    let endpoint = endpoints.get(&name).ok_or(Problem::NotFound)?;
    let token = token(request).ok_or(Problem::Unauthorized)?;
    if !is_known(&token, &endpoint.tokens) {
        return Err(Problem::Unauthorized);
    }
    if !is_json(request) {
        return Err(Problem::UnsupportedMediaType);
    }
    Ok((name, endpoint))
}

/// The token of the header, or else of the query.
fn token(request: &HttpRequest) -> Option<String> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    }
    actix_web::web::Query::<Query>::from_query(request.query_string()).ok()?.into_inner().sig
}

fn is_known(token: &str, hashes: &[TokenHash]) -> bool {
    let presented = TokenHash::of(token);
    let matches = hashes.iter().map(|hash| hash.bytes().ct_eq(presented.bytes()));
    matches.fold(Choice::from(0), |any, this| any | this).into()
}

/// JSON by its media type; without one the body decides.
fn is_json(request: &HttpRequest) -> bool {
    let Some(header) = request.headers().get(CONTENT_TYPE) else { return true };
    let essence = header.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.is_empty() || essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn endpoints() -> Endpoints {
        let endpoint = Endpoint { tokens: ["one", "two"].map(TokenHash::of).to_vec(), ..Endpoint::default() };
        Endpoints::from([("contoso".parse().unwrap(), endpoint)])
    }

    fn answer(uri: &str, headers: &[(&'static str, &'static str)]) -> Result<(), Problem> {
        let request = TestRequest::with_uri(uri).param("endpoint", uri.split(['/', '?']).nth(3).unwrap_or_default().to_owned());
        let request = headers.iter().fold(request, |request, header| request.insert_header(*header));
        admit(&request.to_http_request(), &endpoints()).map(|_| ())
    }

    #[test]
    fn every_live_token_is_good_in_query_and_header() {
        assert_eq!(answer("/v1/leads/contoso?sig=one", &[]), Ok(()));
        assert_eq!(answer("/v1/leads/contoso?x=1&sig=tw%6f", &[]), Ok(()));
        assert_eq!(answer("/v1/leads/contoso", &[("authorization", "bearer two")]), Ok(()));
    }

    #[test]
    fn anything_else_is_refused() {
        for uri in
            ["/v1/leads/contoso", "/v1/leads/contoso?sig=", "/v1/leads/contoso?sig=ONE", "/v1/leads/contoso?sig=one&sig=two"]
        {
            assert_eq!(answer(uri, &[]), Err(Problem::Unauthorized), "{uri}");
        }
        assert_eq!(answer("/v1/leads/contoso?sig=one", &[("authorization", "Basic b25l")]), Err(Problem::Unauthorized));
        assert_eq!(answer("/v1/leads/other?sig=one", &[]), Err(Problem::NotFound));
        assert_eq!(answer("/v1/leads/Contoso?sig=one", &[]), Err(Problem::NotFound));
    }

    #[test]
    fn only_json_by_its_media_type() {
        let with = |media| answer("/v1/leads/contoso?sig=one", &[("content-type", media)]);
        assert_eq!(with("application/json; charset=utf-8"), Ok(()));
        assert_eq!(with("Application/JSON"), Ok(()));
        assert_eq!(with("text/plain"), Err(Problem::UnsupportedMediaType));
        assert_eq!(with("application/jsonp"), Err(Problem::UnsupportedMediaType));
    }
}
