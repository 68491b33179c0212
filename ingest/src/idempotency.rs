//! The header `Idempotency-Key`: a sender names its lead, and may then post it again. What follows from it is in
//! `proto::idempotency`.

use actix_web::HttpRequest;
use leadline_proto::headers::IDEMPOTENCY_KEY;
use leadline_proto::idempotency::IdempotencyKey;

use crate::problem::Problem;

/// The key of a request, if it has one. Two would be two names for one lead.
pub(crate) fn key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::IdempotencyKey);
    }
    IdempotencyKey::try_from(value.as_bytes()).map(Some).map_err(|_| Problem::IdempotencyKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn key_of(values: &[&'static str]) -> Result<Option<IdempotencyKey>, Problem> {
        let request = TestRequest::default();
        let request = values.iter().fold(request, |request, value| request.append_header(("Idempotency-Key", *value)));
        key(&request.to_http_request())
    }

    #[test]
    fn one_good_key_or_none() {
        assert_eq!(key_of(&[]), Ok(None));
        assert_eq!(key_of(&["order-7"]), Ok(IdempotencyKey::try_from(&b"order-7"[..]).ok()));
        for bad in [&[""][..], &["order 7"], &["a", "a"]] {
            assert_eq!(key_of(bad), Err(Problem::IdempotencyKey), "{bad:?}");
        }
    }
}
