//! Bodies as the marketplace sends them, and one that means harm.

/// A customer.
pub(super) const JOHN: &str = r#"{"UserDetails":{"FirstName":"John","LastName":"Smith","Email":"jsmith@microsoft.com",
    "Phone":"1234567890","Country":"US","Company":"Microsoft","Title":"CTO"},
    "LeadSource":"AzureMarketplace-INS|checkpoint.check-point-r77-10sg-byol","Description":""}"#;

/// The same person and offer.
pub(super) const JOHN_LATER: &str = r#"{"UserDetails":{"FirstName":"Johnny","LastName":"Smith","Email":"JSmith@microsoft.com"},
    "LeadSource":"AzureMarketplace-PLT|checkpoint.check-point-r77-10sg-byol"}"#;

/// The same person and offer, not to be contacted.
pub(super) const JOHN_DNC: &str = r#"{"UserDetails":{"LastName":"Smith","Email":"jsmith@microsoft.com"},
    "LeadSource":"AzureMarketplace-DNC|checkpoint.check-point-r77-10sg-byol"}"#;

/// What the portal's Validate button sends.
pub(super) const TEST_LEAD: &str = r#"{"UserDetails":{"FirstName":"MSFT_TEST_636573304831318844",
    "LastName":"MSFT_TEST_636573304831318844","Email":"MSFT_TEST_636573304831318844@test.com","Phone":"1234567890",
    "Country":"US","Company":"MSFT_TEST_636573304831318844","Title":"MSFT_TEST_636573304831318844"},
    "LeadSource":"MSFT_TEST_636573304831318844","ActionCode":"MSFT_TEST_636573304831318844","OfferTitle":"Contoso Test",
    "Description":"MSFT_TEST_636573304831318844"}"#;

/// Other names, other scripts, quotes, a NUL.
pub(super) const ASA: &str = r#"{"userDetails":{"firstName":"Åsa","lastName":"O'Brien\"; DROP TABLE lead;--\u0000",
    "email":"asa@exämple.se","phone":"+46 8 123 456 78","country":"SE","company":"名古屋 Trading \"K.K.\" <b>& Co</b>",
    "title":"VP, \"Sales\""},"leadSource":"AzurePortal","actionCode":"Create","offerTitle":"Contoso Backup – Enterprise",
    "description":"Line one\r\nBcc: attacker@example.com\r\nLine three 🚀"}"#;
