//! Block times as a node prints them: RFC 3339 in UTC, to the second.

use crate::error::Error;

const FORM: &str = "a time like 2026-10-01T09:01:01Z";

const SECONDS_OF_DAY: i64 = 86_400;

/// Days of a year before each month, in a year that begins in March.
const MARCH_DAYS: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];

/// Seconds of 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what the four
/// digits of a year can say.
const SAYABLE: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is a year's last.
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leaps + MARCH_DAYS[month as usize] + day - 1 - 719_468
}

/// Whether a year has a leap day.
fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month.
fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The text of a time; outside the years 0000 to 9999 the bare seconds.
pub(super) fn write(seconds: i64) -> String {
    if !SAYABLE.contains(&seconds) {
        return seconds.to_string();
    }
    let date = seconds.div_euclid(SECONDS_OF_DAY);
    let clock = seconds.rem_euclid(SECONDS_OF_DAY);
    // 400 years have 146,097 days; the estimate is off by one year at most.
    let mut year = (date * 400).div_euclid(146_097) + 1970;
    while days(year, 1, 1) > date {
        year -= 1;
    }
    while days(year + 1, 1, 1) <= date {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1) <= date {
        month += 1;
    }
    let day = date - days(year, month, 1) + 1;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The time of a text: the form that [`write`] gives, or bare seconds.
pub(super) fn read(text: &str) -> Result<i64, Error> {
    let wrong = || Error::value("timestamp", text, FORM);
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(seconds);
    }
    let bytes = text.as_bytes();
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'Z'),
    ];
    if bytes.len() != 20 || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return Err(wrong());
    }
    let number = |from: usize, to: usize| -> Result<i64, Error> {
        bytes[from..to]
            .iter()
            .try_fold(0, |value, byte| match byte {
                b'0'..=b'9' => Ok(value * 10 + i64::from(byte - b'0')),
                _ => Err(wrong()),
            })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let sound = (1..=12).contains(&month)
        && (1..=month_length(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !sound {
        return Err(wrong());
    }
    Ok(days(year, month, day) * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_are_written_and_read() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_790_845_261, "2026-10-01T09:01:01Z"),
            (1_530_374_852, "2018-06-30T16:07:32Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (*SAYABLE.start(), "0000-01-01T00:00:00Z"),
            (*SAYABLE.end(), "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(write(seconds), text);
            assert_eq!(read(text), Ok(seconds));
        }
        assert_eq!(write(i64::MAX), i64::MAX.to_string());
        assert_eq!(read(&i64::MIN.to_string()), Ok(i64::MIN));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-10-01T09:01:01",
            "2026-10-01T09:01:01+00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-10-01T24:00:00Z",
            "2026-10-01 09:01:01Z",
            "é026-10-01T09:01:0Z",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_read_back(seconds in any::<i64>(), sayable in SAYABLE) {
            prop_assert_eq!(read(&write(seconds)), Ok(seconds));
            prop_assert_eq!(read(&write(sayable)), Ok(sayable));
        }
    }
}
