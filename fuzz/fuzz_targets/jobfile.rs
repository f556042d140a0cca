//! A job file, and a kernel command line behind its first zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::{
    boot::cmdline::Cmdline,
    jobfile::{Overrides, parse},
};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let file = parts.next().unwrap_or_default();
    let line = Cmdline::parse(&String::from_utf8_lossy(parts.next().unwrap_or_default()));
    let overrides = Overrides::from_cmdline(&line);
    match parse("mule.toml", file, &overrides) {
        Ok(job) => {
            let again = parse("mule.toml", file, &overrides).expect("the same file");
            assert_eq!(job.digest(), again.digest());
            let _ = (job.action(), job.method(), job.drives(), job.countdown(), job.media(["x"]));
        }
        Err(error) => assert!(!error.to_string().is_empty() && error.lines().iter().all(|line| !line.is_empty())),
    }
});
