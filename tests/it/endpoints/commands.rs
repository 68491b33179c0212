//! The commands that edit the configuration: what they write, print, and refuse. How a text is edited in detail is tested beside
//! `cli::command::endpoint`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use leadline_proto::config::TokenHash;
use leadline_tests::binaries::Binaries;
use leadline_tests::{Stack, Suite};
use serde_json::{Value, json};

use crate::support::Product;

pub(super) fn tests(suite: &mut Suite) {
    suite.test("endpoints::commands_edit_the_configuration", [], edit_the_configuration);
    suite.test("endpoints::commands_say_what_is_wrong", [], say_what_is_wrong);
}

fn output(product: &Product, args: &[&str]) -> Output {
    product.command(&Binaries::built().leadline(), args).output().unwrap()
}

/// Runs a command and gives what it printed.
#[track_caller]
pub(super) fn run(product: &Product, args: &[&str]) -> String {
    let output = output(product, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The sentence with which a command ends early.
fn refusal(product: &Product, args: &[&str]) -> String {
    let output = output(product, args);
    assert_eq!(output.status.code(), Some(64), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The token of the URL that was printed.
#[track_caller]
pub(super) fn token(printed: &str) -> String {
    let (_, rest) = printed.split_once("?sig=").unwrap_or_else(|| panic!("no URL in:\n{printed}"));
    rest.lines().next().unwrap().to_owned()
}

fn list(product: &Product) -> Value {
    serde_json::from_str(&run(product, &["endpoint", "list", "--json"])).unwrap()
}

/// Ids of the tokens of an endpoint, and which of them expire.
fn tokens(product: &Product, endpoint: &str) -> Vec<(String, bool)> {
    let list = list(product);
    let found = list.as_array().unwrap().iter().find(|one| one["endpoint"] == endpoint).unwrap();
    let token = |token: &Value| (token["id"].as_str().unwrap().to_owned(), token["expires"].is_string());
    found["tokens"].as_array().unwrap().iter().map(token).collect()
}

fn edit_the_configuration(stack: &Stack) {
    let product = Product::on_embedded(stack, "edit", "");
    let config = || fs::read_to_string(product.config()).unwrap();
    let before = format!("# ours\n{}", config());
    fs::write(product.config(), &before).unwrap();
    fs::set_permissions(product.config(), fs::Permissions::from_mode(0o640)).unwrap();

    let args = ["endpoint", "new", "shop", "--contacts", "ann@contoso.example", "--offer-id", "contoso.shop"];
    let only_printed = run(&product, &[&args[..], &["--print"]].concat());
    assert_eq!(config(), before, "--print writes nothing");
    assert!(only_printed.contains("  [endpoints.shop]\n  tokens = ["), "{only_printed}");
    let printed = run(&product, &args);
    let first = TokenHash::of(&token(&printed));
    let lines =
        format!("[endpoints.shop]\ntokens = [\"{}\"]\ncontacts = \"ann@contoso.example\"\n", String::from(first.clone()));
    assert!(config().contains(&lines) && config().starts_with("# ours\n"), "{}", config());
    assert_eq!(tokens(&product, "shop"), [(first.id(), false)]);

    let printed = run(&product, &["endpoint", "rotate", "shop", "--token-name", "next"]);
    let second = TokenHash::of(&token(&printed));
    assert_eq!(tokens(&product, "shop"), [(first.id(), true), ("next".to_owned(), false)]);
    assert!(config().contains(&String::from(second)), "{}", config());
    let now = list(&product);
    let shop = now.as_array().unwrap().iter().find(|one| one["endpoint"] == "shop").unwrap();
    let sinks = [&product.crm_sink, &product.email_sink];
    assert_eq!((&shop["offer_id"], &shop["sinks"]), (&json!("contoso.shop"), &json!(sinks)));
    let text = run(&product, &["endpoint", "list"]);
    assert!(text.contains("next         does not expire") && !text.contains("ann@contoso.example"), "{text}");

    let here = config();
    let only_printed = run(&product, &["endpoint", "revoke", "shop", "--token", "next", "--print"]);
    assert!(only_printed.contains(&first.id()) && config() == here, "{only_printed}");
    let printed = run(&product, &["endpoint", "revoke", "shop", "--token", &first.id()]);
    assert!(!printed.contains("last"), "{printed}");
    let printed = run(&product, &["endpoint", "revoke", "shop", "--token", "next"]);
    assert!(printed.contains("nothing can post to `shop` now"), "{printed}");
    assert_eq!(tokens(&product, "shop"), []);
    let mode = fs::metadata(product.config()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "it stays as it was");
    run(&product, &["config", "check"]);
}

fn say_what_is_wrong(stack: &Stack) {
    let product = Product::on_embedded(stack, "wrong", "");
    let before = fs::read_to_string(product.config()).unwrap();
    let id = TokenHash::of(&product.token).id();
    let endpoint = product.endpoint.as_str();
    for (args, why) in [
        (vec!["endpoint", "new", endpoint], "already"),
        (vec!["endpoint", "new", "shop", "--contacts", "nobody"], "is no e-mail address"),
        (vec!["endpoint", "new", "shop", "--sinks", "nowhere"], "there is no sink `nowhere`"),
        (vec!["endpoint", "rotate", "elsewhere"], "there is no endpoint `elsewhere`; there are: "),
        (vec!["endpoint", "rotate", endpoint, "--token-name", &id], "has a token of that name already"),
        (vec!["endpoint", "revoke", endpoint, "--token", "ffffffff"], "has no such token; there are: "),
        (vec!["endpoint", "revoke", endpoint, "--token", &product.token], "that is the token itself"),
    ] {
        let said = refusal(&product, &args);
        assert!(said.starts_with("error: ") && said.contains(why), "{args:?}: {said}");
        assert!(!said.contains(&product.token), "{said}");
    }
    assert_eq!(fs::read_to_string(product.config()).unwrap(), before);
    // What the environment says wins, so an edit would change nothing.
    let mut command = product.command(&Binaries::built().leadline(), &["endpoint", "rotate", endpoint]);
    command.env(format!("LEADLINE__ENDPOINTS__{}__TOKENS", endpoint.to_uppercase()), "[]");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(64) && said.contains("the environment overrides `endpoints`"), "{said}");
    assert_eq!(fs::read_to_string(product.config()).unwrap(), before);
}
