//! What was measured, as a table for people and as JSON for programs.

use serde::Serialize;

use super::Spread;

/// All figures.
#[derive(Debug, Default)]
pub struct Report(Vec<Figure>);

/// One line of the table.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What it says.
    figure: String,
    /// What the figure is made of, each with its unit.
    parts: Vec<Part>,
    /// The figure itself.
    value: Spread,
    /// What it should be; without it the line is there for comparison.
    target: Option<Target>,
}

/// Something that a figure is made of.
#[derive(Debug, Serialize)]
struct Part {
    name: String,
    unit: &'static str,
    value: Spread,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Figure {
    /// A figure and its target.
    pub fn new(figure: impl Into<String>, value: Spread, target: Target) -> Self {
        Self { figure: figure.into(), parts: Vec::new(), value, target: Some(target) }
    }

    /// A figure that nothing is asked of.
    pub fn to_compare(figure: impl Into<String>, value: Spread) -> Self {
        Self { figure: figure.into(), parts: Vec::new(), value, target: None }
    }

    /// Adds something that it is made of.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, unit: &'static str, value: Spread) -> Self {
        self.parts.push(Part { name: name.into(), unit, value });
        self
    }

    fn line(&self) -> String {
        let (target, met) = match self.target {
            Some(target @ Target::AtLeast(least)) => (format!("≥ {least}"), target.is_met(self.value.median)),
            Some(target @ Target::AtMost(most)) => (format!("≤ {most}"), target.is_met(self.value.median)),
            None => return format!("{:<58} {:>22} {:>8}\n", self.figure, self.value.to_string(), ""),
        };
        let verdict = if met { "met" } else { "missed" };
        format!("{:<58} {:>22} {target:>8}  {verdict}\n", self.figure, self.value.to_string())
    }

    fn lines(&self) -> String {
        let part = |part: &Part| format!("    {:<54} {:>22} {}\n", part.name, part.value.to_string(), part.unit);
        std::iter::once(self.line()).chain(self.parts.iter().map(part)).collect()
    }
}

impl Report {
    /// Adds a figure, and shows it at once.
    pub fn add(&mut self, figure: Figure) {
        // Whoever waits sees what there is already.
        eprint!("{}", figure.lines());
        self.0.push(figure);
    }

    /// For people. Each value is a median, with the least and the most in brackets.
    pub fn table(&self) -> String {
        let head = format!("{:<58} {:>22} {:>8}\n", "figure", "median (least–most)", "target");
        std::iter::once(head).chain(self.0.iter().map(Figure::lines)).collect()
    }

    /// For programs.
    ///
    /// # Panics
    /// Never: numbers and texts serialise.
    pub fn json(&self) -> String {
        let figures = self.0.iter().map(|figure| {
            let met = figure.target.map(|target| target.is_met(figure.value.median));
            let mut value = serde_json::to_value(figure).expect("numbers and texts serialise");
            value["met"] = met.into();
            value
        });
        format!("{:#}\n", serde_json::Value::from_iter(figures))
    }
}
