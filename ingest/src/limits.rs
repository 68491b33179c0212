//! How much is taken at once, and from whom: what keeps one sender, or a flood of strangers, from taking the place of all others.
//!
//! | what | file |
//! |---|---|
//! | leads a second, of an endpoint and over all | `rate` |
//! | requests of one address that may not post | `strangers` |
//! | which address that is, behind proxies | `client` |
//! | memory of the leads in flight, shared evenly | `places` |
//! | open connections | [`crate::connections`] |
//!
//! The order is that of the cost: who may post is known from the head alone, and a stranger is answered before anything else is
//! spent on it. A lead is refused here only by a limit that the operator set, or when there is no memory for it.

pub(crate) mod client;
pub(crate) mod places;
pub(crate) mod rate;
pub(crate) mod strangers;
