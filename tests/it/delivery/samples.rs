//! What is expected of each sample lead: a table, and no logic.

/// A sample lead and what becomes of it.
pub(super) struct Sample {
    /// The file's name.
    pub(super) name: &'static str,
    /// The mail's subject.
    pub(super) subject: &'static str,
    /// Where answers go.
    pub(super) reply_to: Option<&'static str>,
    /// A line of the text part.
    pub(super) line: &'static str,
    /// Columns of the CRM record; without any there is no record.
    pub(super) columns: &'static [(&'static str, &'static str)],
}

const TEST_LINE: &str = "This is Microsoft's own test lead, not a customer.";
const TEST_SUBJECT: &str = "[Test] Lead: MSFT_TEST_636573304831318844 MSFT_TEST_636573304831318844, \
                            MSFT_TEST_636573304831318844 – Contoso Test";
const TEST_ADDRESS: &str = "MSFT_TEST_636573304831318844@test.com";

/// All of them, sorted by name.
pub(super) const ALL: &[Sample] = &[
    Sample {
        name: "camel-case",
        subject: "Lead: Åsa Öberg-Müller, 名古屋 Trading \"K.K.\" <b>& Co</b> – Contoso Backup – Enterprise",
        reply_to: Some("asa@xn--exmple-cua.se"),
        line: "Company: 名古屋 Trading \"K.K.\" <b>& Co</b>",
        columns: &[
            ("kind", "customer"),
            ("first_name", "Åsa"),
            ("last_name", "Öberg-Müller"),
            ("email", "asa@exämple.se"),
            ("email_valid", "yes"),
            ("company", "名古屋 Trading \"K.K.\" <b>& Co</b>"),
            ("job_title", "VP, \"Sales\""),
            ("source", "AzurePortal"),
            ("action", "Create"),
            ("offer", "Contoso Backup – Enterprise"),
            ("do_not_contact", "no"),
        ],
    },
    Sample {
        name: "composite-source",
        subject: "Lead: John Smith, Microsoft – checkpoint.check-point-r77-10sg-byol",
        reply_to: Some("jsmith@microsoft.com"),
        line: "Offer: checkpoint.check-point-r77-10sg-byol",
        columns: &[
            ("kind", "customer"),
            ("last_name", "Smith"),
            ("phone", "1234567890"),
            ("source", "AzureMarketplace"),
            ("action", "INS"),
            ("offer", "checkpoint.check-point-r77-10sg-byol"),
            ("description", ""),
        ],
    },
    Sample {
        name: "contact-me",
        subject: "Lead: Pat Lee – docusign.3701c77e-1cfa-4c56-91e6-3ed0b622145a",
        reply_to: Some("pat.lee@adatum.example"),
        line: "CampaignCode: spring-25",
        columns: &[
            ("kind", "customer"),
            ("source", "AppSource (SPZA)"),
            ("action", "PLT"),
            ("company", ""),
            ("description", "We need 500 seats by March. Please call before noon."),
        ],
    },
    Sample {
        name: "do-not-contact",
        subject: "[Do not contact] Lead: Dana Ncall, Fabrikam – Cross-listed partner",
        reply_to: None,
        line: "DO NOT CONTACT: this lead is for your information only.",
        columns: &[
            ("kind", "do_not_contact"),
            ("do_not_contact", "yes"),
            ("email", "dana@fabrikam.example"),
            ("phone", ""),
            ("job_title", ""),
        ],
    },
    Sample {
        name: "empty",
        subject: "[Blank] Lead",
        reply_to: None,
        line: "This lead says nothing about the customer.",
        columns: &[
            ("kind", "blank"),
            ("first_name", ""),
            ("last_name", "(not provided)"),
            ("email", ""),
            ("email_valid", "no"),
            ("do_not_contact", "no"),
        ],
    },
    Sample {
        name: "sample",
        subject: "Lead: Some One, Contoso – Test Microsoft",
        reply_to: Some("someone@contoso.com"),
        line: "Job title: Esquire",
        columns: &[
            ("kind", "customer"),
            ("first_name", "Some"),
            ("last_name", "One"),
            ("country", "USA"),
            ("offer", "Test Microsoft"),
            ("test", "no"),
        ],
    },
    Sample { name: "validate-button", subject: TEST_SUBJECT, reply_to: Some(TEST_ADDRESS), line: TEST_LINE, columns: &[] },
    Sample {
        name: "validate-button-coded",
        subject: TEST_SUBJECT,
        reply_to: Some(TEST_ADDRESS),
        line: TEST_LINE,
        columns: &[],
    },
];
