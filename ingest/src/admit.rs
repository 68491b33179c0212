//! Who may post: the endpoint must exist, the token must be one of its tokens that are good now, the media type must be JSON.
//!
//! Nothing of the body has been read here. What is presented is always hashed and compared in constant time with as many hashes as
//! the endpoint with the most tokens has, whether the endpoint exists or not and whether a token is still good: the answer's
//! time tells nothing about them.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use jiff::Timestamp;
use leadline_proto::EndpointName;
use leadline_proto::config::{Token, TokenHash, Tokens};
use serde::Deserialize;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::endpoints::Known;
use crate::prepared::PreparedEndpoint;
use crate::problem::Problem;
use crate::route::ENDPOINT;

/// Stands where there is no token to compare with. Any value would do: what matches it is not let in.
const NOBODY: [u8; 32] = [0; 32];

/// The part of the query that is read.
#[derive(Deserialize)]
struct Query {
    sig: Option<String>,
}

/// Who may post.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    pub(crate) name: EndpointName,
    /// How its bodies are read.
    pub(crate) prepared: &'a PreparedEndpoint,
    pub(crate) token: &'a Token,
}

/// Finds the endpoint of a request and checks that it may post there. With `hide` an endpoint that does not exist is answered like
/// a wrong token.
pub(crate) fn admit<'a>(request: &HttpRequest, known: &'a Known, hide: bool, now: Timestamp) -> Result<Admitted<'a>, Problem> {
    let name = request.match_info().query(ENDPOINT).parse::<EndpointName>().ok();
    let found = name.and_then(|name| known.find(&name).map(|(endpoint, prepared)| (name, endpoint, prepared)));
    if found.is_none() && !hide {
        return Err(Problem::NotFound);
    }
    let presented = token(request);
    let tokens = found.as_ref().map(|(_, endpoint, _)| &endpoint.tokens);
    let matching = matching(presented.as_deref().unwrap_or_default(), tokens, known.most_tokens(), now);
    let ((name, _, prepared), token) = found.zip(matching.filter(|_| presented.is_some())).ok_or(Problem::Unauthorized)?;
    if !is_json(request) {
        return Err(Problem::UnsupportedMediaType);
    }
    Ok(Admitted { name, prepared, token })
}

/// The token of the header, or else of the query.
fn token(request: &HttpRequest) -> Option<String> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    }
    actix_web::web::Query::<Query>::from_query(request.query_string()).ok()?.into_inner().sig
}

/// The good token that was presented. Makes `compares` comparisons, or as many as there are tokens.
fn matching<'a>(presented: &str, tokens: Option<&'a Tokens>, compares: usize, now: Timestamp) -> Option<&'a Token> {
    let presented = TokenHash::of(presented);
    let mut at = u64::MAX;
    let all = tokens.into_iter().flatten().map(Some).chain(std::iter::repeat(None));
    for (token, number) in all.zip(0_u64..).take(compares.max(tokens.map_or(0, Tokens::len))) {
        let hash = token.map_or(&NOBODY, |token| token.hash().bytes());
        let good = Choice::from(u8::from(token.is_some_and(|token| token.is_live(now))));
        at.conditional_assign(&number, hash.ct_eq(presented.bytes()) & good);
    }
    tokens?.iter().nth(usize::try_from(at).ok()?)
}

/// JSON by its media type; without one the body decides.
fn is_json(request: &HttpRequest) -> bool {
    let Some(header) = request.headers().get(CONTENT_TYPE) else { return true };
    let Ok(header) = header.to_str() else { return false };
    let essence = header.split(';').next().unwrap_or_default().trim();
    essence.is_empty() || essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::route;
    use actix_web::test::TestRequest;
    use leadline_proto::config::{Endpoint, Endpoints};

    const CONTOSO: &str = "contoso";

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn known() -> Known {
        let end = time("2026-12-01T00:00:00Z");
        let old = Token::new(TokenHash::of("old"), Some(end), Some("2026-11".parse().unwrap()));
        let tokens = [Token::from(TokenHash::of("one")), Token::from(TokenHash::of("two")), old];
        let endpoint = Endpoint { tokens: tokens.to_vec().try_into().unwrap(), ..Endpoint::default() };
        let closed = Endpoint::default();
        let endpoints = Endpoints::from([(CONTOSO.parse().unwrap(), endpoint), ("closed".parse().unwrap(), closed)]);
        Known::build(endpoints, Path::new("")).unwrap()
    }

    fn request(uri: &str, headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let request = TestRequest::with_uri(uri).param(ENDPOINT, uri.split(['/', '?']).nth(3).unwrap_or_default().to_owned());
        headers.iter().fold(request, |request, header| request.insert_header(*header)).to_http_request()
    }

    /// The id of the token that was let in.
    fn admitted(request: &HttpRequest, hide: bool, now: &str) -> Result<String, Problem> {
        let known = known();
        admit(request, &known, hide, time(now)).map(|admitted| admitted.token.id().to_owned())
    }

    fn answer(uri: &str, headers: &[(&'static str, &'static str)]) -> Result<String, Problem> {
        admitted(&request(uri, headers), false, "2026-11-23T00:00:00Z")
    }

    fn id(token: &str) -> Result<String, Problem> {
        Ok(TokenHash::of(token).id())
    }

    #[test]
    fn every_live_token_is_good_in_query_and_header() {
        assert_eq!(answer("/v1/leads/contoso?sig=one", &[]), id("one"));
        assert_eq!(answer("/v1/leads/contoso?x=1&sig=tw%6f", &[]), id("two"));
        assert_eq!(answer("/v1/leads/contoso", &[("authorization", "bearer two")]), id("two"));
        assert_eq!(answer("/v1/leads/contoso?sig=old", &[]), Ok("2026-11".to_owned()));
        assert_eq!(answer(&route::url("", &CONTOSO.parse().unwrap(), "one"), &[]), id("one"));
    }

    #[test]
    fn anything_else_is_refused() {
        for uri in [
            "/v1/leads/contoso",
            "/v1/leads/contoso?sig=",
            "/v1/leads/contoso?sig=ONE",
            "/v1/leads/contoso?sig=one&sig=two",
            "/v1/leads/closed?sig=one",
        ] {
            assert_eq!(answer(uri, &[]), Err(Problem::Unauthorized), "{uri}");
        }
        assert_eq!(answer("/v1/leads/contoso?sig=one", &[("authorization", "Basic b25l")]), Err(Problem::Unauthorized));
        assert_eq!(answer("/v1/leads/other?sig=one", &[]), Err(Problem::NotFound));
        assert_eq!(answer("/v1/leads/Contoso?sig=one", &[]), Err(Problem::NotFound));
    }

    #[test]
    fn an_expired_token_is_a_wrong_one() {
        let old = request("/v1/leads/contoso?sig=old", &[]);
        assert_eq!(admitted(&old, false, "2026-11-30T23:59:59Z"), Ok("2026-11".to_owned()));
        assert_eq!(admitted(&old, false, "2026-12-01T00:00:00Z"), Err(Problem::Unauthorized));
        let other = request("/v1/leads/contoso?sig=one", &[]);
        assert_eq!(admitted(&other, false, "2026-12-01T00:00:00Z"), id("one"));
    }

    #[test]
    fn hidden_endpoints_are_answered_like_wrong_tokens() {
        let answer = |uri: &str, headers: &[(&'static str, &'static str)]| {
            admitted(&request(uri, headers), true, "2026-11-23T00:00:00Z").unwrap_err()
        };
        let wrong = answer("/v1/leads/contoso?sig=wrong", &[]);
        assert_eq!(wrong, Problem::Unauthorized);
        for uri in ["/v1/leads/other?sig=one", "/v1/leads/Not%20a%20Name?sig=one", "/v1/leads/other", "/v1/leads/closed?sig="] {
            assert_eq!(answer(uri, &[]), wrong, "{uri}");
        }
        // The media type is looked at only after the token: it would tell.
        assert_eq!(answer("/v1/leads/other?sig=one", &[("content-type", "text/plain")]), wrong);
        assert_eq!(admitted(&request("/v1/leads/contoso?sig=one", &[]), true, "2026-11-23T00:00:00Z"), id("one"));
    }

    #[test]
    fn what_matches_nobody_lets_nobody_in() {
        // No token is known whose hash is all zeroes; one that is configured with it stands for it here.
        let zero = TokenHash::try_from(format!("sha256:{}", "0".repeat(64))).unwrap();
        assert_eq!(zero.bytes(), &NOBODY);
        let tokens = Tokens::try_from(vec![Token::from(TokenHash::of("a"))]).unwrap();
        let now = time("2026-11-23T00:00:00Z");
        assert_eq!(matching("a", None, 3, now), None);
        assert_eq!(matching("a", Some(&tokens), 3, now), tokens.iter().next());
        assert_eq!(matching("a", Some(&tokens), 0, now), tokens.iter().next(), "all are compared with, whatever is asked");
        assert_eq!(matching("b", Some(&tokens), 3, now), None);
    }

    #[test]
    fn only_json_by_its_media_type() {
        let with = |media| answer("/v1/leads/contoso?sig=one", &[("content-type", media)]);
        assert_eq!(with("application/json; charset=utf-8"), id("one"));
        assert_eq!(with("Application/JSON"), id("one"));
        assert_eq!(with("text/plain"), Err(Problem::UnsupportedMediaType));
        assert_eq!(with("application/jsonp"), Err(Problem::UnsupportedMediaType));
        assert_eq!(with("applicatiön/json"), Err(Problem::UnsupportedMediaType));
    }
}
