//! Configurations before and after an edit. `A`, `B` and `N` stand for hashes.

use leadline_proto::config::Endpoints;

use super::*;

const END: &str = "2026-12-01T00:00:00Z";

fn hash(token: &str) -> String {
    TokenHash::of(token).into()
}

/// Puts the hashes in.
fn real(text: &str) -> String {
    ["A", "B", "N"]
        .into_iter()
        .fold(text.to_owned(), |text, token| text.replace(&format!("\"{token}\""), &format!("\"{}\"", hash(token))))
}

/// Takes them out, so that a failure can be read.
fn plain(text: &str) -> String {
    ["A", "B", "N"].into_iter().fold(text.to_owned(), |text, token| text.replace(&hash(token), token))
}

fn name() -> EndpointName {
    "shop".parse().unwrap()
}

fn document(text: &str) -> DocumentMut {
    real(text).parse().unwrap()
}

/// The endpoints as the product reads them.
fn endpoints(text: &str) -> Endpoints {
    let sources = leadline_platform::config::Sources {
        sections: leadline_proto::config::SECTIONS,
        preset: Some(text.to_owned()),
        ..Default::default()
    };
    leadline_platform::config::Settings::load(&sources).unwrap().section("endpoints").unwrap()
}

fn rotated(text: &str) -> String {
    let mut document = document(text);
    let tokens = endpoints(&real(text))[&name()].tokens.clone();
    let new = token(&TokenHash::of("N"), None, None);
    rotate(&mut document, &name(), &tokens, new, END.parse().unwrap()).unwrap();
    let text = document.to_string();
    let read = endpoints(&text)[&name()].tokens.clone();
    assert_eq!(read.len(), tokens.len() + 1, "{text}");
    for (before, after) in tokens.iter().zip(&read) {
        let end = Some(END.parse().unwrap()).min(before.expires().or(Some(Timestamp::MAX)));
        assert_eq!((after.hash(), after.expires()), (before.hash(), end), "{text}");
    }
    assert_eq!(read.iter().last().map(|token| (token.hash().clone(), token.expires())), Some((TokenHash::of("N"), None)));
    plain(&text)
}

fn revoked(text: &str, token: &str) -> String {
    let mut document = document(text);
    revoke(&mut document, &name(), &TokenHash::of(token)).unwrap();
    let text = document.to_string();
    let left = &endpoints(&text)[&name()].tokens;
    assert!(left.iter().all(|left| *left.hash() != TokenHash::of(token)), "{text}");
    plain(&text)
}

#[test]
fn the_other_lines_stay_as_they_are() {
    let before = "# mine\n[kafka]\nbootstrap = 'x:1'   # odd   spaces\n\n[endpoints.shop] # the shop\n# before\ntokens = [\"A\"] # behind\ncontacts = \"a@x.example\"\n\n# last\n";
    let after = "# mine\n[kafka]\nbootstrap = 'x:1'   # odd   spaces\n\n[endpoints.shop] # the shop\n# before\ntokens = [\n    { hash = \"A\", expires = \"2026-12-01T00:00:00Z\" },\n    \"N\",\n] # behind\ncontacts = \"a@x.example\"\n\n# last\n";
    assert_eq!(rotated(before), after);
}

#[test]
fn comments_of_a_list_stay_with_their_tokens() {
    let before =
        "[endpoints.shop]\ntokens = [\n  # the first\n  \"A\", # march\n  { hash = \"B\", name = \"b\" }, # april\n]\n";
    let after = "[endpoints.shop]\ntokens = [\n  # the first\n  { hash = \"A\", expires = \"2026-12-01T00:00:00Z\" }, # march\n  { hash = \"B\", name = \"b\", expires = \"2026-12-01T00:00:00Z\" }, # april\n  \"N\",\n]\n";
    assert_eq!(rotated(before), after);
    let no_comma = "[endpoints.shop]\ntokens = [\n  \"A\",\n  \"B\" # april\n]\n";
    assert!(rotated(no_comma).contains("}, # april\n  \"N\",\n]\n"), "{}", rotated(no_comma));
    assert_eq!(
        revoked(before, "A"),
        "[endpoints.shop]\ntokens = [\n  # the first # march\n  { hash = \"B\", name = \"b\" }, # april\n]\n"
    );
    assert_eq!(revoked(before, "B"), "[endpoints.shop]\ntokens = [\n  # the first\n  \"A\", # march # april\n]\n");
    assert_eq!(revoked(no_comma, "B"), "[endpoints.shop]\ntokens = [\n  \"A\" # april\n]\n");
}

#[test]
fn every_way_of_writing_can_be_edited() {
    for before in [
        "[endpoints]\nshop = { tokens = [\"A\"], offer_id = \"x\" }\n",
        "[endpoints]\nshop.tokens = [\"A\"]\n",
        "endpoints.shop.tokens = [\"A\", \"B\",]\n",
        "endpoints = { shop = { tokens = [] } }\n",
        "[endpoints.shop]\ntokens = [ # none yet\n]\n",
        "[endpoints.shop]\ntokens = [\n]\n",
        "[endpoints.shop]\noffer_id = \"x\"\n",
        "[endpoints.shop]\r\ntokens = [\r\n  \"A\", # a\r\n]\r\n",
        "[endpoints.shop]\ntokens = [{ hash = \"A\", expires = 2026-11-24T00:00:00Z }, { hash = \"B\", expires = 2099-01-01T00:00:00Z }]\n",
    ] {
        let after = rotated(before);
        assert_eq!(after.matches('#').count(), before.matches('#').count(), "{after}");
    }
}

#[test]
fn an_end_that_is_near_stays() {
    let near = "[endpoints.shop]\ntokens = [{ hash = \"A\", expires = \"2026-11-24T00:00:00Z\" }]\n";
    assert!(rotated(near).contains("{ hash = \"A\", expires = \"2026-11-24T00:00:00Z\" }"));
    let far = "[endpoints.shop]\ntokens = [{ hash = \"A\", expires = \"2027-11-24T00:00:00Z\" }]\n";
    assert!(rotated(far).contains("{ hash = \"A\", expires = \"2026-12-01T00:00:00Z\" }"));
}

#[test]
fn a_token_is_removed_wherever_it_stands() {
    let list = |tokens: &str| format!("[endpoints.shop]\ntokens = {tokens}\n");
    for (before, token, after) in [
        ("[\"A\", \"B\"]", "A", "[\"B\"]"),
        ("[\"A\", \"B\"]", "B", "[\"A\"]"),
        ("[\"A\"]", "A", "[]"),
        ("[\"A\",]", "A", "[]"),
        ("[\n  \"A\",\n]", "A", "[]"),
        ("[\n  \"A\", # kept\n]", "A", "[ # kept\n]"),
        ("[\n  \"A\",\n  \"B\",\n]", "A", "[\n  \"B\",\n]"),
        ("[\n  \"A\",\n  \"B\"\n]", "B", "[\n  \"A\"\n]"),
        ("[{ hash = \"A\", name = \"a\" }]", "A", "[]"),
    ] {
        assert_eq!(revoked(&list(before), token), list(after), "{before}");
    }
}

#[test]
fn what_is_not_there_is_told() {
    let mut none = document("[endpoints.other]\ntokens = [\"A\"]\n");
    assert_eq!(revoke(&mut none, &name(), &TokenHash::of("A")), Err(CannotEdit::NotThere));
    let mut other = document("[endpoints.shop]\ntokens = [\"A\"]\n");
    assert_eq!(revoke(&mut other, &name(), &TokenHash::of("B")), Err(CannotEdit::NotThere));
    let mut tables = document("[[endpoints.shop.tokens]]\nhash = \"A\"\n");
    assert_eq!(revoke(&mut tables, &name(), &TokenHash::of("A")), Err(CannotEdit::NoList));
}

#[test]
fn a_new_endpoint_comes_behind_the_others() {
    let new = |text: &str| {
        let mut document = document(text);
        let token = token(&TokenHash::of("N"), None, Some(&"first".parse().unwrap()));
        let endpoint = NewEndpoint { token, contacts: Some("a@x.example"), offer_id: None, sinks: Some(vec!["email"]) };
        add_endpoint(&mut document, &name(), &endpoint);
        let text = document.to_string();
        assert_eq!(endpoints(&text)[&name()].tokens.iter().map(|token| token.id()).collect::<Vec<_>>(), ["first"], "{text}");
        plain(&text)
    };
    let lines =
        "\n[endpoints.shop]\ntokens = [{ hash = \"N\", name = \"first\" }]\ncontacts = \"a@x.example\"\nsinks = [\"email\"]\n";
    let before = "[endpoints.a]\ntokens = [\"A\"]\n";
    assert_eq!(
        new(&format!("{before}\n[sinks.email]\nkind = \"email\"\n# end\n")),
        format!("{before}{lines}\n[sinks.email]\nkind = \"email\"\n# end\n")
    );
    assert_eq!(new("[log]\nlevel = \"info\" # x\n"), format!("[log]\nlevel = \"info\" # x\n{lines}"));
    new("[endpoints]\n# none yet\n");
    new("endpoints = { a = { tokens = [] } }\n");
    new("");
}

#[test]
fn the_secret_of_the_person_keys_is_set_in_its_place() {
    let mut document = document("[ingest]\nperson_key = \"\"  # once\nlisten = \"127.0.0.1:1\"\n");
    set_person_key(&mut document, "s");
    assert_eq!(document.to_string(), "[ingest]\nperson_key = \"s\"  # once\nlisten = \"127.0.0.1:1\"\n");
    let mut empty = DocumentMut::new();
    set_person_key(&mut empty, "s");
    assert_eq!(empty.to_string().trim_start(), "[ingest]\nperson_key = \"s\"\n");
}
