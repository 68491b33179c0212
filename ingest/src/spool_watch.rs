//! Shows what lies in the spool. Figures are read once a second: a request has better things to do.

use std::time::Duration;

use leadline_platform::metrics::NO_LABELS;
use leadline_platform::metrics::kinds::Gauge;

use crate::metrics::IngestMetrics;
use crate::spool::{Figures, Spool};

const PAUSE: Duration = Duration::from_secs(1);

/// Shows the figures from now on; without a spool they are all 0.
pub(crate) fn start(spool: Option<Spool>, limit: usize, metrics: IngestMetrics) {
    set(&metrics.spool_limit, spool.as_ref().map_or(0, |_| limit));
    let Some(spool) = spool else { return show(&metrics, None) };
    show(&metrics, Some(spool.figures()));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(PAUSE).await;
            show(&metrics, Some(spool.figures()));
        }
    });
}

fn show(metrics: &IngestMetrics, figures: Option<Figures>) {
    let of = |count: fn(&Figures) -> usize| figures.as_ref().map_or(0, count);
    set(&metrics.spool_entries, of(|figures| figures.entries));
    set(&metrics.spool_bytes, of(|figures| figures.bytes));
    set(&metrics.spool_refused, of(|figures| figures.refused));
    set(&metrics.spool_usable, of(|figures| usize::from(figures.usable)));
    set(&metrics.spool_damaged, of(|figures| usize::try_from(figures.damaged).unwrap_or(usize::MAX)));
    let since = figures.and_then(|figures| figures.since).map_or(0.0, |since| since.as_duration().as_secs_f64());
    metrics.spool_oldest.with_label_values(NO_LABELS).set(since);
}

/// Exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
fn set(gauge: &Gauge, value: usize) {
    gauge.with_label_values(NO_LABELS).set(value as f64);
}
