//! Texts that have made trouble somewhere, as they stand between the quotes of a JSON string.

use super::{CANARY, Chance};

const ODD: &[&str] = &[
    "",
    " ",
    "\\u0000",
    "\\u0000\\u001f\\u007f\\u0085",
    "\\r\\n",
    "\\t x \\n",
    "\\ud83d",
    "\\udc00\\ud83d",
    "\\ud83d\\ude80",
    "\\uD83D\\uDE8",
    "\\ud83d\\u0041",
    "🚀é\u{301}\u{202e}\u{feff}",
    "\u{1}",
    "\u{7f}\u{85}\u{2028}\u{2029}",
    "\\\"\\\\\\/",
    "\\x",
    "\\",
    "\\u",
    "\"",
    "null",
    "MSFT_TEST_636573304831318844",
    "\\u004dSFT_TEST_6365733048313188440",
    "MSFT_TEST_63657330483131884",
    "DNC",
    "dnc",
    "INS",
    "SPZA",
    "AzureMarketplace",
    "ann@contoso.example",
    "ANN@CONTOSO.EXAMPLE",
    " ann@contoso.example ",
    "İ@contoso.example",
    "ß@contoso.example",
    "\\\"a b\\\"@contoso.example",
    "ann@[127.0.0.1]",
    "ann@localhost",
    "Ann <ann@contoso.example>",
    "ann@contoso.example\\r\\nBcc: all@contoso.example",
    "a@b.c@d.e",
    "+1 555 0100",
    "<b>&amp;</b>{{ lead }}{% raw %}",
];

/// A text. It is mostly valid within quotes.
pub(crate) fn text(chance: &mut Chance) -> String {
    match chance.below(8) {
        0..=3 => chance.pick(ODD).to_owned(),
        4 => composite(chance),
        5 => format!("{CANARY}{}", chance.below(1000)),
        6 => [chance.pick(ODD), chance.pick(ODD)].concat(),
        _ => letters(chance),
    }
}

/// A lead source in one text, `Source-Action|Offer`, or something like it.
pub(crate) fn composite(chance: &mut Chance) -> String {
    const PIECES: &[&str] = &["AzureMarketplace", "SPZA", "-", "|", "-", "|", "INS", "PLT", " ", "contoso.backup-pro", "é", ""];
    if chance.one_in(2) {
        return "AzureMarketplace-INS|contoso.backup-pro".to_owned();
    }
    (0..chance.length(12)).map(|_| chance.pick(PIECES)).collect()
}

/// Random characters, without what a JSON string would have to escape.
fn letters(chance: &mut Chance) -> String {
    let length = chance.length(40);
    let any = |chance: &mut Chance| char::from_u32(u32::from(chance.byte()) << chance.pick(&[0_u32, 0, 4, 8, 12]));
    (0..length).filter_map(|_| any(chance)).filter(|c| !matches!(c, '"' | '\\') && !c.is_ascii_control()).collect()
}
