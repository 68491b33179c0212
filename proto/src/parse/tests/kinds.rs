//! Which lead is of which kind: test, do-not-contact, blank, customer.

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
