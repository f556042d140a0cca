//! The job file that a new stick carries. What reads it is `jobfile` of the payload, which also tests that it can be read.

/// Describes every key; as it is, it only reports.
pub const EXAMPLE: &str = include_str!("jobfile/example.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_can_be_read_on_any_screen() {
        assert!(EXAMPLE.is_ascii());
        assert!(EXAMPLE.lines().all(|line| line.len() <= 120));
    }
}
