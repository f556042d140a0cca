//! The one date that everything on the image carries, so that the same inputs give the same bytes.

use anyhow::{Context, Result, ensure};
use fatfs::{Date, DateTime, Time, TimeProvider};
use std::env;

/// 2026-01-01 00:00:00 UTC: for a build without `SOURCE_DATE_EPOCH`.
const DEFAULT: u64 = 1_767_225_600;
/// 1980-01-01 and 2107-12-31 23:59:59 UTC: what a FAT directory entry can hold.
const FAT_RANGE: std::ops::RangeInclusive<u64> = 315_532_800..=4_354_819_199;
const SECONDS_PER_DAY: u64 = 86_400;

/// Seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Refuses what FAT cannot express.
    pub fn new(seconds: u64) -> Result<Self> {
        ensure!(FAT_RANGE.contains(&seconds), "SOURCE_DATE_EPOCH {seconds} is outside 1980-2107, the years of FAT");
        Ok(Self(seconds))
    }

    /// `SOURCE_DATE_EPOCH` (reproducible-builds.org), or a fixed date: never the clock.
    pub fn from_environment() -> Result<Self> {
        match env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => Self::new(
                text.parse().with_context(|| format!("SOURCE_DATE_EPOCH is {text:?}, not a number of seconds"))?,
            ),
            Err(env::VarError::NotPresent) => Self::new(DEFAULT),
            Err(error) => Err(error).context("SOURCE_DATE_EPOCH"),
        }
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Year, month, day (Howard Hinnant's `civil_from_days`, for days after 1970-01-01).
    fn civil(self) -> (u64, u64, u64) {
        let days = self.0 / SECONDS_PER_DAY + 719_468;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + days / 146_097 * 400 + u64::from(month <= 2);
        (year, month, day)
    }
}

/// The range is checked at construction, so nothing here is ever cut off.
fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl TimeProvider for Timestamp {
    fn get_current_date(&self) -> Date {
        let (year, month, day) = self.civil();
        Date { year: small(year), month: small(month), day: small(day) }
    }

    fn get_current_date_time(&self) -> DateTime {
        let second = self.0 % SECONDS_PER_DAY;
        let (hour, min, sec) = (small(second / 3600), small(second / 60 % 60), small(second % 60));
        DateTime { date: self.get_current_date(), time: Time { hour, min, sec, millis: 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_the_calendar() {
        for (seconds, date) in [
            (315_532_800, (1980, 1, 1)),
            (951_782_400, (2000, 2, 29)),
            (951_868_800, (2000, 3, 1)),
            (DEFAULT - 1, (2025, 12, 31)),
            (DEFAULT, (2026, 1, 1)),
            (4_354_819_199, (2107, 12, 31)),
        ] {
            assert_eq!(Timestamp::new(seconds).unwrap().civil(), date);
        }
        let time = Timestamp::new(DEFAULT + 3661).unwrap().get_current_date_time().time;
        assert_eq!((time.hour, time.min, time.sec), (1, 1, 1));
    }

    #[test]
    fn years_that_fat_cannot_hold_are_refused() {
        assert!(Timestamp::new(0).is_err());
        assert!(Timestamp::new(4_354_819_200).is_err());
    }
}
