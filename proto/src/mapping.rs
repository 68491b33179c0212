//! `[endpoints.NAME.mapping]`: where the fields of a lead stand in a payload that is not Microsoft's.
//!
//! Which place belongs to which field is decided here; how a payload is read by them in `parse`.

use serde::Deserialize;

/// A place in a JSON value: a JSON Pointer (RFC 6901) such as `/contact/mail`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The names and indices on the way, unescaped.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<String> for Pointer {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let rule = "a JSON Pointer starts with `/` and names a member, such as \"/contact/mail\"";
        let rest = text.strip_prefix('/').filter(|rest| !rest.is_empty()).ok_or(rule)?;
        rest.split('/').map(unescape).collect::<Option<_>>().map(Self).ok_or_else(|| {
            "in a JSON Pointer `~` stands only in `~0`, which means `~`, and in `~1`, which means `/`".to_owned()
        })
    }
}

/// `None` when a `~` is followed by anything but `0` or `1`.
fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            (None, None) => return None,
        };
        text.push(escaped);
        text.push_str(rest);
    }
    Some(text)
}

/// Where each field of a lead stands. A field without a place is absent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Mapping(Fields);

/// The keys of the section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// First name of the customer.
    pub first_name: Option<Pointer>,
    /// Last name of the customer.
    pub last_name: Option<Pointer>,
    /// Address of the customer.
    pub email: Option<Pointer>,
    /// Telephone number of the customer.
    pub phone: Option<Pointer>,
    /// Country of the customer.
    pub country: Option<Pointer>,
    /// Company of the customer.
    pub company: Option<Pointer>,
    /// Job title of the customer.
    pub title: Option<Pointer>,
    /// Where the lead comes from.
    pub source: Option<Pointer>,
    /// What the customer did.
    pub action: Option<Pointer>,
    /// The offer.
    pub offer: Option<Pointer>,
    /// Free text.
    pub description: Option<Pointer>,
}

impl Fields {
    fn all(&self) -> [Option<&Pointer>; 11] {
        let Self { first_name, last_name, email, phone, country, company, title, source, action, offer, description } = self;
        [first_name, last_name, email, phone, country, company, title, source, action, offer, description].map(Option::as_ref)
    }
}

impl Mapping {
    /// The place of each field.
    pub fn fields(&self) -> &Fields {
        &self.0
    }

    /// All places.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.0.all().into_iter().flatten()
    }
}

impl TryFrom<Fields> for Mapping {
    type Error = &'static str;
    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        if fields.all().iter().all(Option::is_none) {
            return Err("a mapping names at least one field, such as email = \"/contact/mail\"");
        }
        Ok(Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<String>, String> {
        Pointer::try_from(text.to_owned()).map(|pointer| pointer.tokens().to_vec())
    }

    #[test]
    fn a_pointer_is_read_as_the_standard_says() {
        assert_eq!(tokens("/contact/mail").unwrap(), ["contact", "mail"]);
        assert_eq!(tokens("/a~1b/m~0n/~01/0").unwrap(), ["a/b", "m~n", "~1", "0"]);
        assert_eq!(tokens("/a//b").unwrap(), ["a", "", "b"], "a name may be empty");
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for bad in ["", "/", "contact/mail", "#/contact", "$.contact"] {
            assert!(tokens(bad).unwrap_err().contains("starts with `/`"), "{bad}");
        }
        for bad in ["/a~", "/a~2", "/~~0"] {
            assert!(tokens(bad).unwrap_err().contains("`~0`"), "{bad}");
        }
    }

    #[test]
    fn a_mapping_names_a_field_and_no_other_key() {
        let read = |value: serde_json::Value| serde_json::from_value::<Mapping>(value).map_err(|error| error.to_string());
        let mapping = read(serde_json::json!({"email": "/m", "title": "/t"})).unwrap();
        assert_eq!(mapping.pointers().count(), 2);
        assert!(read(serde_json::json!({})).unwrap_err().contains("at least one field"));
        assert!(read(serde_json::json!({"mail": "/m"})).unwrap_err().contains("unknown field `mail`"));
    }
}
