//! Leads as Microsoft's guide shows them, for documentation and trials. More of them lie in `fixtures/leads`, for the tests.

/// The lead of the guide, with every member it knows.
pub const LEAD: &str = include_str!("../fixtures/leads/sample.json");
/// The test lead that Partner Center sends when Validate is pressed and when an offer is published.
pub const TEST_LEAD: &str = include_str!("../fixtures/leads/validate-button.json");
