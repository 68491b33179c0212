//! What each sample payload gives, field by field.

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
