//! What a body becomes: the sample leads, the oddities a sender may show, and the bodies that are refused.
//!
//! `properties` holds what is true of every body. The samples lie in `proto/fixtures/leads/`.

mod properties;

use serde_json::{Value, json};

use super::{MAX_DEPTH, ParseError};
use crate::lead::{Email, Lead, LeadKind};
use crate::personal::Personal;

const SAMPLE: &[u8] = include_bytes!("../../fixtures/leads/sample.json");
const CAMEL_CASE: &[u8] = include_bytes!("../../fixtures/leads/camel-case.json");
const COMPOSITE: &[u8] = include_bytes!("../../fixtures/leads/composite-source.json");
const CONTACT_ME: &[u8] = include_bytes!("../../fixtures/leads/contact-me.json");
const DO_NOT_CONTACT: &[u8] = include_bytes!("../../fixtures/leads/do-not-contact.json");
const EMPTY: &[u8] = include_bytes!("../../fixtures/leads/empty.json");
const VALIDATE: &[u8] = include_bytes!("../../fixtures/leads/validate-button.json");
const VALIDATE_CODED: &[u8] = include_bytes!("../../fixtures/leads/validate-button-coded.json");

const MARKER: &str = "MSFT_TEST_636573304831318844";

fn lead(body: impl AsRef<[u8]>) -> Lead {
    super::lead(body.as_ref()).unwrap()
}

fn refused(body: impl AsRef<[u8]>) -> ParseError {
    super::lead(body.as_ref()).unwrap_err()
}

/// Every text that is present, by the name of its field. Comparing the whole list also shows what must be absent.
fn texts(lead: &Lead) -> Vec<(&'static str, &str)> {
    let contact = &lead.contact;
    let fields = [
        ("first_name", contact.first_name.as_ref()),
        ("last_name", contact.last_name.as_ref()),
        ("email", contact.email.as_ref().map(Email::text)),
        ("phone", contact.phone.as_ref()),
        ("country", contact.country.as_ref()),
        ("company", contact.company.as_ref()),
        ("job_title", contact.job_title.as_ref()),
        ("source", lead.source.as_ref()),
        ("action", lead.action.as_ref()),
        ("offer", lead.offer.as_ref()),
        ("description", lead.description.as_ref()),
    ];
    fields.into_iter().filter_map(|(name, text)| text.map(|text| (name, text.expose()))).collect()
}

/// The texts and the kind of a lead without any unknown member.
#[track_caller]
fn assert_lead(body: impl AsRef<[u8]>, kind: LeadKind, expected: &[(&'static str, &str)]) {
    let lead = lead(body);
    assert_eq!(texts(&lead), expected);
    assert_eq!(lead.kind, kind);
    assert!(lead.other.is_empty() && lead.contact.other.is_empty());
}

fn unknown(lead: &Lead) -> Value {
    json!({ "lead": lead.other, "contact": lead.contact.other })
}

mod samples {
    use super::*;

    #[test]
    fn microsofts_sample() {
        let expected = [
            ("first_name", "Some"),
            ("last_name", "One"),
            ("email", "someone@contoso.com"),
            ("phone", "16175555555"),
            ("country", "USA"),
            ("company", "Contoso"),
            ("job_title", "Esquire"),
            ("source", "AzureMarketplace"),
            ("action", "INS"),
            ("offer", "Test Microsoft"),
            ("description", "Test run through Power Automate"),
        ];
        assert_lead(SAMPLE, LeadKind::Customer, &expected);
        assert_eq!(lead(SAMPLE).contact.address(), Some("someone@contoso.com"));
    }

    #[test]
    fn names_in_camel_case_and_values_in_any_script() {
        let expected = [
            ("first_name", "Åsa"),
            ("last_name", "Öberg-Müller"),
            ("email", "asa@exämple.se"),
            ("phone", "+46 8 123 456 78"),
            ("country", "SE"),
            ("company", "名古屋 Trading \"K.K.\" <b>& Co</b>"),
            ("job_title", "VP, \"Sales\""),
            ("source", "AzurePortal"),
            ("action", "Create"),
            ("offer", "Contoso Backup – Enterprise"),
            ("description", "Line one\nBcc: attacker@example.com\nLine three 🚀"),
        ];
        assert_lead(CAMEL_CASE, LeadKind::Customer, &expected);
        assert_eq!(lead(CAMEL_CASE).contact.address(), Some("asa@exämple.se"));
    }

    #[test]
    fn a_composite_source_is_split() {
        let expected = [
            ("first_name", "John"),
            ("last_name", "Smith"),
            ("email", "jsmith@microsoft.com"),
            ("phone", "1234567890"),
            ("country", "US"),
            ("company", "Microsoft"),
            ("job_title", "CTO"),
            ("source", "AzureMarketplace"),
            ("action", "INS"),
            ("offer", "checkpoint.check-point-r77-10sg-byol"),
        ];
        assert_lead(COMPOSITE, LeadKind::Customer, &expected);
    }

    #[test]
    fn contact_me_keeps_its_unknown_members() {
        let lead = lead(CONTACT_ME);
        let expected = [
            ("first_name", "Pat"),
            ("last_name", "Lee"),
            ("email", "pat.lee@adatum.example"),
            ("country", "CA"),
            ("source", "AppSource (SPZA)"),
            ("action", "PLT"),
            ("offer", "docusign.3701c77e-1cfa-4c56-91e6-3ed0b622145a"),
            ("description", "We need 500 seats by March. Please call before noon."),
        ];
        assert_eq!(texts(&lead), expected);
        assert_eq!(lead.kind, LeadKind::Customer);
        let kept = json!({"ProductId": "unknown-member-keep-me", "CampaignCode": "spring-25"});
        assert_eq!(unknown(&lead), json!({"lead": kept, "contact": {}}));
    }

    #[test]
    fn do_not_contact() {
        let expected = [
            ("first_name", "Dana"),
            ("last_name", "Ncall"),
            ("email", "dana@fabrikam.example"),
            ("country", "DE"),
            ("company", "Fabrikam"),
            ("source", "SPZA"),
            ("action", "DNC"),
            ("offer", "Cross-listed partner"),
        ];
        assert_lead(DO_NOT_CONTACT, LeadKind::DoNotContact, &expected);
    }

    #[test]
    fn an_empty_object_is_a_blank_lead() {
        assert_lead(EMPTY, LeadKind::Blank, &[]);
    }

    #[test]
    fn microsofts_test_lead_in_both_forms() {
        let address = format!("{MARKER}@test.com");
        let forms = [(VALIDATE, "AzureMarketplace", "INS"), (VALIDATE_CODED, MARKER, MARKER)];
        for (body, source, action) in forms {
            let expected = [
                ("first_name", MARKER),
                ("last_name", MARKER),
                ("email", &address),
                ("phone", "1234567890"),
                ("country", "US"),
                ("company", MARKER),
                ("job_title", MARKER),
                ("source", source),
                ("action", action),
                ("offer", "Contoso Test"),
                ("description", MARKER),
            ];
            assert_lead(body, LeadKind::Test, &expected);
        }
    }

    #[test]
    fn microsofts_test_lead_as_printed_is_no_json() {
        let valid = std::str::from_utf8(VALIDATE).unwrap();
        let printed = valid.replacen("\"Contoso Test\",", "\"Contoso Test\"", 1);
        assert_ne!(printed, valid);
        assert_eq!(refused(printed), ParseError::NotJson { line: 14, column: 3 });
    }
}

mod kinds {
    use super::*;

    fn kind(body: Value) -> LeadKind {
        lead(body.to_string()).kind
    }

    #[test]
    fn the_marker_counts_in_each_place_it_can_stand() {
        for member in ["FirstName", "LastName", "Company", "Title"] {
            assert_eq!(kind(json!({"UserDetails": {member: MARKER}})), LeadKind::Test, "{member}");
        }
        assert_eq!(kind(json!({"UserDetails": {"Email": format!("{MARKER}@test.com")}})), LeadKind::Test);
        for member in ["LeadSource", "ActionCode", "Description"] {
            assert_eq!(kind(json!({member: MARKER, "UserDetails": {"FirstName": "Ann"}})), LeadKind::Test, "{member}");
        }
        assert_eq!(kind(json!({"LeadSource": format!("{MARKER}-{MARKER}|Contoso Test")})), LeadKind::Test);
        assert_eq!(kind(json!({"LeadSource": format!("SPZA-{MARKER}|Contoso Test")})), LeadKind::Test);
    }

    #[test]
    fn the_marker_is_18_digits_at_the_start() {
        let named = |name: &str| kind(json!({"UserDetails": {"FirstName": name}}));
        assert_eq!(named("MSFT_TEST_636573304831318844 and more"), LeadKind::Test);
        assert_eq!(named("MSFT_TEST_63657330483131884"), LeadKind::Customer);
        assert_eq!(named("MSFT_TEST_63657330483131884x4"), LeadKind::Customer);
        assert_eq!(named("MSFT_TEST_"), LeadKind::Customer);
        assert_eq!(named("Not MSFT_TEST_636573304831318844"), LeadKind::Customer);
    }

    #[test]
    fn an_offer_title_makes_no_test_lead() {
        let body = json!({"OfferTitle": MARKER, "UserDetails": {"FirstName": "Ann"}});
        assert_eq!(kind(body), LeadKind::Customer);
    }

    #[test]
    fn in_doubt_test_counts_before_do_not_contact_before_blank() {
        assert_eq!(kind(json!({"ActionCode": "DNC", "Description": MARKER})), LeadKind::Test);
        assert_eq!(kind(json!({"ActionCode": "dnc"})), LeadKind::DoNotContact);
        assert_eq!(kind(json!({"LeadSource": "SPZA-DNC | Contoso"})), LeadKind::DoNotContact);
        assert_eq!(kind(json!({"LeadSource": "SPZA", "ActionCode": "INS", "Description": "Hello"})), LeadKind::Blank);
        assert_eq!(kind(json!({"UserDetails": {"Email": "", "Phone": null, "Note": "Hello"}})), LeadKind::Blank);
        assert_eq!(kind(json!({"UserDetails": {"Country": "SE"}})), LeadKind::Customer);
    }

    #[test]
    fn unknown_codes_pass() {
        let body = json!({"LeadSource": "Teams", "ActionCode": "Uninstall", "UserDetails": {"Country": "Ruritania"}});
        let expected = [("country", "Ruritania"), ("source", "Teams"), ("action", "Uninstall")];
        assert_lead(body.to_string(), LeadKind::Customer, &expected);
    }
}

mod oddities {
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
            let members =
                |names: &[&str]| names.iter().map(|name| format!(r#""{name}":{value}"#)).collect::<Vec<_>>().join(",");
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
        assert_eq!(
            texts(&lead(r#"{"ActionCode":null,"actioncode":" ","ACTIONCODE":"A","ActionCode":"B"}"#)),
            [("action", "A")]
        );
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
        let body =
            r#"{"UserDetails":{"FirstName":"An\u0000n","LastName":"Lee\r\nBcc: x@y.example"},"OfferTitle":"a\tb\u001bc"}"#;
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
}

mod refusals {
    use super::*;

    #[test]
    fn what_is_no_json() {
        let cases = [
            ("", (1, 0)),
            ("  \n ", (2, 1)),
            ("FirstName=Ann&Email=ann@x.example", (1, 1)),
            (r#"{"Email":"ann@x.example""#, (1, 24)),
            (r#"{"Email":"ann@x.exa"#, (1, 19)),
            (r#"["ann@x.example","#, (1, 17)),
            ("{}\n{}", (2, 1)),
            (r#"{"Email":'ann@x.example'}"#, (1, 10)),
            (r#"{"Email":"ann@x.example",}"#, (1, 26)),
            ("{\"Email\":\"ann@x.example\n\"}", (1, 23)),
            (r#"{"Email":"\x"}"#, (1, 12)),
            (r#"{"Phone":0123}"#, (1, 11)),
        ];
        for (body, (line, column)) in cases {
            let error = refused(body);
            assert_eq!(error, ParseError::NotJson { line, column }, "{body}");
            assert!(!error.to_string().contains("ann"), "{error}");
        }
    }

    #[test]
    fn every_cut_of_a_body() {
        let end = SAMPLE.iter().rposition(|&byte| byte == b'}').unwrap();
        for cut in 0..end {
            assert!(matches!(refused(&SAMPLE[..cut]), ParseError::NotJson { .. }), "{cut}");
        }
    }

    #[test]
    fn json_of_another_type() {
        for body in [r#"[{"ActionCode":"INS"}]"#, r#""{}""#, "7", "true", "null", " [] "] {
            assert_eq!(refused(body), ParseError::NotAnObject, "{body}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8() {
        assert_eq!(refused(b"{\"ActionCode\":\"\xff\"}"), ParseError::NotUtf8);
        assert_eq!(refused([&b"\xff\xfe"[..], b"{\0}\0"].concat()), ParseError::NotUtf8, "UTF-16");
        assert_eq!(refused(b"{\"ActionCode\":\"\xed\xa0\x80\"}"), ParseError::NotUtf8, "a surrogate written as bytes");
    }

    #[test]
    fn deeper_than_the_limit() {
        // Every body is one level itself, and `UserDetails` another.
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        for (head, tail, own) in
            [(r#"{"X":"#, "}", 1), (r#"{"UserDetails":{"Company":"#, "}}", 2), (r#"{"userdetails":{"X":"#, "}}", 2)]
        {
            let body = |levels: usize| format!("{head}{}{tail}", nested(levels - own));
            assert!(super::super::lead(body(MAX_DEPTH).as_bytes()).is_ok(), "{head}");
            assert_eq!(refused(body(MAX_DEPTH + 1)), ParseError::TooDeep, "{head}");
        }
        assert_eq!(refused("[".repeat(1_000_000)), ParseError::TooDeep);
    }
}
