//! Payloads that are odd and still leads.

use super::*;

#[test]
fn names_count_without_regard_to_case_at_both_levels() {
    let body = r#"{"USERDETAILS":{"firstname":"Ann","EMAIL":"a@x.example"},"leadsource":"SPZA","oFFERtITLE":"T"}"#;
    let expected = [("first_name", "Ann"), ("email", "a@x.example"), ("source", "SPZA"), ("offer", "T")];
    assert_lead(body, LeadKind::Customer, &expected);
}

#[test]
fn null_empty_and_blank_are_absent() {
    let values = ["null", r#""""#, r#"" \t\r\n""#, r#""\u0000\u0007""#];
    for value in values {
        let members = |names: &[&str]| names.iter().map(|name| format!(r#""{name}":{value}"#)).collect::<Vec<_>>().join(",");
        let contact = members(&["FirstName", "LastName", "Email", "Phone", "Country", "Company", "Title"]);
        let rest = members(&["LeadSource", "ActionCode", "OfferTitle", "Description"]);
        assert_eq!(lead(format!(r#"{{"UserDetails":{{{contact}}},{rest}}}"#)), lead(EMPTY), "{value}");
    }
    assert_eq!(lead(r#"{"UserDetails":null}"#), lead(EMPTY));
}

#[test]
fn other_types_become_text() {
    let cases = [
        ("16175555555", "16175555555"),
        ("1.50", "1.50"),
        ("-0", "-0"),
        ("1e999", "1e999"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("true", "true"),
        ("false", "false"),
        (r#"[ "a b" , 1 ]"#, r#"["a b",1]"#),
        ("{ \"a\\\" b\" :\n [ ] }", r#"{"a\" b":[]}"#),
    ];
    for (written, expected) in cases {
        assert_lead(format!(r#"{{"UserDetails":{{"Phone": {written} }}}}"#), LeadKind::Customer, &[("phone", expected)]);
        assert_lead(format!(r#"{{"Description": {written} }}"#), LeadKind::Blank, &[("description", expected)]);
    }
}

#[test]
fn unknown_members_are_kept_at_both_levels_whatever_they_are() {
    let lead = lead(r#"{"Tags":["a",{"b":null}],"Score":1e999,"UserDetails":{"City":"Oslo","Age":7.5,"firstName":"Ann"}}"#);
    assert_eq!(texts(&lead), [("first_name", "Ann")]);
    let expected = json!({"lead": {"Tags": ["a", {"b": null}], "Score": "1e999"}, "contact": {"City": "Oslo", "Age": 7.5}});
    assert_eq!(unknown(&lead), expected);
}

#[test]
fn user_details_that_are_no_object_are_kept_as_unknown() {
    for value in [json!("Ann Smith"), json!(7), json!(true), json!([{"FirstName": "Ann"}])] {
        let lead = lead(json!({"userDetails": value, "ActionCode": "INS"}).to_string());
        assert_eq!(unknown(&lead), json!({"lead": {"userDetails": value}, "contact": {}}));
        assert_eq!(texts(&lead), [("action", "INS")]);
        assert_eq!(lead.kind, LeadKind::Blank);
    }
}

#[test]
fn of_duplicates_the_first_that_is_not_empty_counts() {
    assert_eq!(texts(&lead(r#"{"ActionCode":null,"actioncode":" ","ACTIONCODE":"A","ActionCode":"B"}"#)), [("action", "A")]);
    let contact = r#"{"UserDetails":{"Company":"\u0000","company":"First","COMPANY":"Second","Company":""}}"#;
    assert_eq!(texts(&lead(contact)), [("company", "First")]);
    let two =
        r#"{"UserDetails":{"FirstName":"","Email":"a@x.example"},"userdetails":{"FirstName":"Ann","Email":"b@x.example"}}"#;
    assert_eq!(texts(&lead(two)), [("first_name", "Ann"), ("email", "a@x.example")]);
    let mixed = r#"{"UserDetails":"text","UserDetails":{"FirstName":"Ann"}}"#;
    assert_eq!(texts(&lead(mixed)), [("first_name", "Ann")]);
    assert_eq!(unknown(&lead(mixed)), json!({"lead": {"UserDetails": "text"}, "contact": {}}));
}

#[test]
fn of_unknown_duplicates_too() {
    let lead = lead(r#"{"X":null,"X":"","X":"first","X":"second","x":"other","Y":"","Y":null}"#);
    assert_eq!(unknown(&lead), json!({"lead": {"X": "first", "x": "other", "Y": null}, "contact": {}}));
}

#[test]
fn control_characters_never_reach_a_line() {
    let body = r#"{"UserDetails":{"FirstName":"An\u0000n","LastName":"Lee\r\nBcc: x@y.example"},"OfferTitle":"a\tb\u001bc"}"#;
    let expected = [("first_name", "An n"), ("last_name", "Lee Bcc: x@y.example"), ("offer", "a b c")];
    assert_lead(body, LeadKind::Customer, &expected);
}

#[test]
fn a_description_keeps_its_lines_only() {
    let body = r#"{"Description":" one\r\ntwo\rthr\u0000ee\u0007\tx \n"}"#;
    assert_lead(body, LeadKind::Blank, &[("description", "one\ntwo\nthree\tx")]);
}

#[test]
fn long_names_stay_whole() {
    let name = "é".repeat(10_000);
    let body = json!({"UserDetails": {"LastName": name}, "OfferTitle": name}).to_string();
    assert_lead(body, LeadKind::Customer, &[("last_name", &name), ("offer", &name)]);
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let marked = [b"\xef\xbb\xbf", SAMPLE].concat();
    assert_eq!(lead(&marked), lead(SAMPLE));
    assert_eq!(super::super::text(&marked).unwrap().as_bytes(), SAMPLE);
    assert!(matches!(refused(b"\xef\xbb\xbf\xef\xbb\xbf{}"), ParseError::NotJson { .. }), "one mark only");
}

#[test]
fn a_cut_emoji_does_not_cost_the_lead() {
    let body = r#"{"UserDetails":{"FirstName":"A\ud83d","LastName":"\ud83d\ude80"},"\ude80":"\ud83d\ud83d\ude80"}"#;
    let lead = lead(body);
    assert_eq!(texts(&lead), [("first_name", "A\u{fffd}"), ("last_name", "🚀")]);
    assert_eq!(unknown(&lead)["lead"], json!({"\u{fffd}": "\u{fffd}🚀"}));
}

#[test]
fn exactly_the_escapes_that_the_parser_refuses_are_repaired() {
    let edges = [0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000];
    let pairs = edges.iter().flat_map(|first| edges.map(|second| format!(r#""\u{first:04x}\u{second:04X}""#)));
    for text in (0..=0xffff).map(|unit| format!(r#""\u{unit:04x}""#)).chain(pairs) {
        let repaired = super::super::scan::scan(&text).unwrap();
        assert_eq!(repaired == text, serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        assert!(serde_json::from_str::<Value>(&repaired).is_ok(), "{text}");
    }
}

#[test]
fn an_explicit_action_or_offer_wins_over_the_composite() {
    let composite = |action: &str, offer: &str| {
        let body = json!({"LeadSource": "SPZA-PLT | contoso.backup", "ActionCode": action, "OfferTitle": offer});
        texts(&lead(body.to_string())).into_iter().map(|(_, text)| text.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(composite("INS", "Backup"), ["SPZA", "INS", "Backup"]);
    assert_eq!(composite("INS", ""), ["SPZA", "INS", "contoso.backup"]);
    assert_eq!(composite("", "Backup"), ["SPZA", "PLT", "Backup"]);
    assert_eq!(texts(&lead(r#"{"LeadSource":" - | "}"#)), []);
}

#[test]
fn what_is_no_address_is_kept_and_marked() {
    let email = |text: &str| lead(json!({"UserDetails": {"Email": text}}).to_string()).contact.email.unwrap();
    for bad in
        ["n/a", "ann@localhost", "Ann <ann@x.example>", "a@x.example; b@x.example", "ann@[192.0.2.1]", "ann@x.example, Bcc"]
    {
        assert_eq!(email(bad).text().expose(), bad);
        assert_eq!(email(bad).address(), None, "{bad}");
    }
    assert_eq!(email(" ann+tag@x.example ").address(), Some("ann+tag@x.example"));
    assert_eq!(
        Some(email("ann@x.example\r\nBcc: b@y.example").text()),
        Personal::line("ann@x.example Bcc: b@y.example").as_ref()
    );
}
