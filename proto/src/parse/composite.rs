//! The composite form of the lead source, `Source-Action|Offer`, as Microsoft writes it to flat destinations.
//!
//! Split at the first `|`; then the left side at its last `-`. Offer ids contain `-` and `.`, sources and actions do not.
//! Composing it again for a flat CRM is a matter of that CRM's mapping.

/// The parts of a lead source; a bare source has neither action nor offer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Composite<'a> {
    pub(super) source: &'a str,
    pub(super) action: Option<&'a str>,
    pub(super) offer: Option<&'a str>,
}

pub(super) fn split(text: &str) -> Composite<'_> {
    let Some((left, offer)) = text.split_once('|') else {
        return Composite { source: text, action: None, offer: None };
    };
    let (source, action) = match left.trim().rsplit_once('-') {
        Some((source, action)) => (source.trim(), Some(action.trim())),
        None => (left.trim(), None),
    };
    Composite { source, action, offer: Some(offer.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_forms() {
        let parts = |text| {
            let c = split(text);
            (c.source, c.action, c.offer)
        };
        assert_eq!(
            parts("AzureMarketplace-INS|checkpoint.check-point-r77-10sg-byol"),
            ("AzureMarketplace", Some("INS"), Some("checkpoint.check-point-r77-10sg-byol"))
        );
        assert_eq!(parts("SPZA-PLT | docusign.x|y"), ("SPZA", Some("PLT"), Some("docusign.x|y")));
        assert_eq!(parts("AzureMarketplace"), ("AzureMarketplace", None, None));
        assert_eq!(parts("Azure-Portal"), ("Azure-Portal", None, None));
        assert_eq!(parts("SPZA|offer"), ("SPZA", None, Some("offer")));
    }
}
