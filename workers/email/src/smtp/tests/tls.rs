//! Encryption and authentication, and what happens when a server or somebody in between plays tricks with them.

use super::*;
use Step::Tls;

/// The plain-text half of STARTTLS, with the server's last words.
fn starttls(go: &'static str) -> Vec<Step> {
    vec![Say("220 hi"), Expect("EHLO"), Say("250-mail\r\n250 starttls"), Expect("STARTTLS"), Say(go), Tls]
}

fn hello() -> Vec<Step> {
    vec![Expect("EHLO own.example"), Say("250-mail\r\n250 AUTH PLAIN")]
}

fn authenticated(section: &str) -> String {
    format!("{section}username = 'user'\npassword = 'pass'\n")
}

#[tokio::test]
async fn starttls_works_and_authenticates() {
    let login = vec![Expect("AUTH PLAIN AHVzZXIAcGFzcw=="), Say("235 ok")];
    let server = Scripted::start([script([starttls("220 go"), hello(), login, accept()])]).await;
    let sink = sink(&authenticated(&server.encrypted("starttls")), "a@x.example").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, delivered());
}

#[tokio::test]
async fn implicit_tls_works_and_authenticates_by_login() {
    let offer = vec![Tls, Say("220 hi"), Expect("EHLO"), Say("250-mail\r\n250 AUTH LOGIN")];
    let login = vec![
        Expect("AUTH LOGIN"),
        Say("334 VXNlcm5hbWU6"),
        Expect("dXNlcg=="),
        Say("334 UGFzc3dvcmQ6"),
        Expect("cGFzcw=="),
        Say("235 ok"),
    ];
    let server = Scripted::start([script([offer, login, accept()])]).await;
    let sink = sink(&authenticated(&server.encrypted("implicit")), "a@x.example").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, delivered());
}

/// Plain text sent right after "go ahead" must not be read as if it had come encrypted.
#[tokio::test]
async fn plain_text_injected_into_starttls_is_refused() {
    let injected = starttls("220 go\r\n250-injected.evil\r\n250 AUTH PLAIN\r\n235 ok");
    let server = Scripted::start([script([injected, hello(), vec![Expect("AUTH")]])]).await;
    let sink = sink(&authenticated(&server.encrypted("starttls")), "a@x.example").unwrap();
    assert_eq!(handle(&sink, &task(BODY)).await, sink_down(DownReason::Misconfigured, "smtp-tls-untrusted"));
    assert_eq!(server.seen(), [["EHLO own.example", "STARTTLS"]]);
}

#[tokio::test]
async fn an_unknown_certificate_is_the_operator_s_matter() {
    let (server, other) = (Scripted::start([vec![Tls]]).await, Scripted::start([]).await);
    let section = server.encrypted("implicit").replace(&server.ca, &other.ca);
    let sink = sink(&section, "a@x.example").unwrap();
    assert_eq!(sink.probe().await, Err(down(DownReason::Misconfigured, "smtp-tls-untrusted")));
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_password() {
    let server = Scripted::start([greet()]).await;
    let sink = sink(&authenticated(&server.encrypted("starttls")), "a@x.example").unwrap();
    assert_eq!(sink.probe().await, Err(down(DownReason::Misconfigured, "smtp-greeting-unsupported")));
}

#[tokio::test]
async fn refused_credentials_are_the_operator_s_matter() {
    let refuse = vec![Expect("AUTH PLAIN"), Say("535 5.7.8 no")];
    let none = vec![Tls, Say("220 hi"), Expect("EHLO"), Say("250-mail\r\n250 AUTH GSSAPI")];
    let server = Scripted::start([script([vec![Tls, Say("220 hi")], hello(), refuse]), none]).await;
    let sink = sink(&authenticated(&server.encrypted("implicit")), "a@x.example").unwrap();
    assert_eq!(sink.probe().await, Err(down(DownReason::Misconfigured, "smtp-auth-535-5.7.8")));
    assert_eq!(sink.probe().await, Err(down(DownReason::Misconfigured, "smtp-auth-unsupported")));
}
