//! The engine's settings and the built-in templates.

use super::*;
use crate::tests::{BODY, accepted};

fn templates(text: &'static str) -> Result<Templates, TemplateError> {
    Templates::from_sources([(SUBJECT, "subject"), (TEXT, text), (HTML, text)])
}

fn refusal(text: &'static str) -> String {
    templates(text).map(|_| ()).unwrap_err().to_string()
}

fn rendered(text: &'static str, body: &str) -> Content {
    templates(text).unwrap().content(&accepted(body)).unwrap()
}

#[test]
fn unknown_names_stop_the_start() {
    assert_eq!(refusal("{{ lead.nickname }}"), "the template body.txt uses `lead.nickname`, which does not exist");
    assert_eq!(refusal("{% if receipt.tset %}x{% endif %}"), "the template body.txt uses `receipt.tset`, which does not exist");
    assert_eq!(refusal("{{ raw }}"), "the template body.txt uses `raw`, which does not exist");
    assert_eq!(
        refusal("{% for item in lead.other %}{{ item.nam }}{% endfor %}"),
        "the template body.txt failed: undefined value"
    );
}

#[test]
fn a_broken_template_is_named() {
    assert_eq!(refusal("one\n{% if %}"), "the template body.txt cannot be read: syntax error, line 2");
}

#[test]
fn nothing_switches_the_protection_off() {
    assert!(refusal("{{ lead.name|safe }}").contains("unknown filter"));
    assert!(refusal("{{ debug() }}").contains("`debug`"));
    assert!(
        refusal("{% for a in lead.name|list * 9000 %}{% for b in lead.name|list * 9000 %}x{% endfor %}{% endfor %}")
            .contains("body.txt failed")
    );
}

#[test]
fn absent_values_render_as_nothing() {
    assert_eq!(rendered("[{{ lead.phone }}]", "{}").text, "[]");
    assert_eq!(rendered("[{{ lead.phone }}]", BODY).text, "[+1 555]");
}

#[test]
fn only_html_is_escaped() {
    let content = rendered("{{ lead.company }}", r#"{"UserDetails":{"Company":"<A & B>"}}"#);
    assert_eq!(content.text, "<A & B>");
    assert_eq!(content.html, "&lt;A &amp; B&gt;");
}

#[test]
fn members_with_other_names_are_shown() {
    let body = r#"{"UserDetails":{"Company":"A","Size":5},"Campaign":"spring","Tags":["a"]}"#;
    let content = Templates::built_in().unwrap().content(&accepted(body)).unwrap();
    for line in ["Campaign: spring\n", "Size: 5\n", "Tags: [\"a\"]\n"] {
        assert!(content.text.contains(line), "{}", content.text);
    }
}

#[test]
fn the_built_in_text_reads_well() {
    let content = Templates::built_in().unwrap().content(&accepted(BODY)).unwrap();
    let expected = "Name: Ann Lee\nCompany: Contoso\nJob title: CTO\nE-mail: ann@contoso.example\nPhone: +1 555\nCountry: US\n\
        Offer: Backup\nOffer id: contoso.backup\nAction: INS\nSource: AzureMarketplace\n\nCall me.\n\n-- \n\
        Lead 00000000-0000-0000-0000-000000000007\nReceived 2026-11-22 10:00:00 UTC at endpoint shop";
    assert_eq!(content.text, expected);
    // What a macro returns is not escaped a second time.
    assert_eq!(content.html.matches("</tr>").count(), 10);
    assert!(!content.html.contains("&lt;"), "{}", content.html);
}

#[test]
fn an_empty_lead_can_be_told_too() {
    let content = Templates::built_in().unwrap().content(&accepted("{}")).unwrap();
    assert!(content.text.starts_with("This lead says nothing about the customer.\n"), "{}", content.text);
    assert_eq!(content.subject, "[Blank] Lead – contoso.backup");
    assert!(content.html.contains("New lead"));
}

#[test]
fn the_largest_lead_fits_into_the_fuel() {
    let members: Vec<String> = (0..1000).map(|n| format!(r#""member{n}":"{n}""#)).collect();
    let body = format!("{{{}}}", members.join(","));
    Templates::built_in().unwrap().content(&accepted(&body)).unwrap();
}
