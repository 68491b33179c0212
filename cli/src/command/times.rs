//! Times as arguments and in lists, the same for all commands.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A time as an argument: a moment, a day, or how long ago.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    parse_time(text, Timestamp::now())
        .ok_or_else(|| "a time is 2026-11-22T10:00:00Z, 2026-11-22, or how long ago: 2h".to_owned())
}

fn parse_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return now.checked_sub(ago).ok();
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let day: Date = text.parse().ok()?;
    day.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
}

/// A time to the second.
pub(crate) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_a_day_or_how_long_ago() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let read = |text| parse_time(text, now).map(|time| time.to_string());
        assert_eq!(read("2h").as_deref(), Some("2026-11-22T10:00:00Z"));
        assert_eq!(read("1day 30m").as_deref(), Some("2026-11-21T11:30:00Z"));
        assert_eq!(read("2026-11-20").as_deref(), Some("2026-11-20T00:00:00Z"));
        assert_eq!(read("2026-11-20T08:00:00+02:00").as_deref(), Some("2026-11-20T06:00:00Z"));
        assert_eq!((read("yesterday"), read("")), (None, None));
    }
}
