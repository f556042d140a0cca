//! How long anything may take. One variable, `MULE_QEMU_TIMEOUT_X`, stretches every limit on a slow host.

use std::{sync::OnceLock, time::Duration};

/// QEMU must answer on its control socket within this time.
pub(crate) const CONTROL: u64 = 20;
/// From the start of QEMU to the guest's first own line.
pub(crate) const BOOT: u64 = 90;
/// From the start of QEMU to the final event, unless a test says otherwise.
pub(crate) const RUN: u64 = 240;
/// From the announcement that the machine sleeps to its sleep.
pub(crate) const SLEEP: u64 = 30;
/// From the final event to the end of QEMU, where the job ends with power-off or reboot.
pub(crate) const POWER_OFF: u64 = 30;

/// `seconds`, stretched.
pub(crate) fn limit(seconds: u64) -> Duration {
    static FACTOR: OnceLock<f64> = OnceLock::new();
    let factor = FACTOR.get_or_init(|| factor(std::env::var("MULE_QEMU_TIMEOUT_X").ok().as_deref()));
    Duration::from_secs(seconds).mul_f64(*factor)
}

/// A missing, unreadable or shrinking factor counts as 1: the variable only ever gives more time.
fn factor(text: Option<&str>) -> f64 {
    text.and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|x| x.is_finite() && *x <= 1000.0)
        .map_or(1.0, |x| x.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_only_stretches() {
        for (text, expected) in [
            (None, 1.0),
            (Some("7"), 7.0),
            (Some(" 2.5 "), 2.5),
            (Some("0.1"), 1.0),
            (Some("x"), 1.0),
            (Some("inf"), 1.0),
        ] {
            assert!((factor(text) - expected).abs() < 1e-9, "{text:?}");
        }
    }
}
