//! What the benches share: repetitions of a figure, and the table of figures with their targets. How something is measured is theirs.

mod report;
mod spread;

pub use report::{Figure, Report, Target};
pub use spread::Spread;
