//! Writes `mule.toml`, the job file on the stick.

use std::fmt::Write;

/// A job as a person would write it; a field that is `None` is not in the file.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    action: &'static str,
    method: Option<&'static str>,
    drives: Option<Vec<String>>,
    verify: Option<&'static str>,
    then: Option<&'static str>,
    confirm: Option<&'static str>,
    countdown: u32,
    operator: bool,
    others: Vec<(&'static str, String)>,
}

impl Job {
    /// An authorised wipe of all drives, fully verified, that ends with power-off.
    pub(crate) fn wipe(method: &'static str) -> Self {
        Self {
            action: "wipe",
            method: Some(method),
            drives: None,
            verify: Some("full"),
            then: Some("power-off"),
            confirm: Some("erase"),
            countdown: 1,
            operator: true,
            others: Vec::new(),
        }
    }

    /// An image, a restore, a clone or a comparison of all drives, which ends with power-off.
    pub(crate) fn copy(action: &'static str) -> Self {
        Self { action, method: None, verify: None, confirm: None, ..Self::wipe("zero") }
    }

    /// One more key with a text.
    pub(crate) fn key(mut self, key: &'static str, value: &str) -> Self {
        self.others.push((key, format!("{value:?}")));
        self
    }

    /// One more key with a number.
    pub(crate) fn number(mut self, key: &'static str, value: i32) -> Self {
        self.others.push((key, value.to_string()));
        self
    }

    /// Only these drives, by serial number.
    pub(crate) fn drives(mut self, serials: &[&str]) -> Self {
        self.drives = Some(serials.iter().map(|serial| (*serial).to_owned()).collect());
        self
    }

    /// No drive at all: an image alone.
    pub(crate) fn no_drives(mut self) -> Self {
        self.drives = Some(Vec::new());
        self
    }

    pub(crate) fn verify(mut self, verify: &'static str) -> Self {
        self.verify = Some(verify);
        self
    }

    pub(crate) fn then(mut self, then: &'static str) -> Self {
        self.then = Some(then);
        self
    }

    /// Says nothing about what comes after the job.
    pub(crate) fn without_then(mut self) -> Self {
        self.then = None;
        self
    }

    pub(crate) fn confirm(mut self, confirm: Option<&'static str>) -> Self {
        self.confirm = confirm;
        self
    }

    pub(crate) fn countdown(mut self, seconds: u32) -> Self {
        self.countdown = seconds;
        self
    }

    /// The file. The first key is on line 2.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("[job]\naction = \"{}\"\n", self.action);
        let optional =
            [("method", self.method), ("verify", self.verify), ("then", self.then), ("confirm", self.confirm)];
        for (key, value) in optional {
            if let Some(value) = value {
                let _ = writeln!(text, "{key} = \"{value}\"");
            }
        }
        let drives = match &self.drives {
            Some(list) if list.is_empty() => "\"none\"".to_owned(),
            Some(list) => format!("{list:?}"),
            None => "\"all\"".to_owned(),
        };
        let _ = writeln!(text, "drives = {drives}\ncountdown = {}", self.countdown);
        for (key, value) in &self.others {
            let _ = writeln!(text, "{key} = {value}");
        }
        if self.operator {
            text.push_str(OPERATOR);
        }
        text
    }
}

/// The name and organisation must come back in every certificate.
pub(crate) const OPERATOR_NAME: &str = "Zoë Müller-Ångström";
const OPERATOR: &str = r#"
[operator]
name = "Zoë Müller-Ångström"
title = "Technician"
organisation = "Bench Test Ltd"
location = "Workshop 2"
contact = "bench@example.org"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_was_asked_and_nothing_else() {
        let text = Job::wipe("zero").drives(&["A", "B"]).without_then().confirm(None).text();
        assert!(text.starts_with("[job]\naction = \"wipe\"\nmethod = \"zero\"\n"), "{text}");
        assert!(text.contains("drives = [\"A\", \"B\"]\n"));
        assert!(!text.contains("then") && !text.contains("confirm"));
        assert!(Job::wipe("zero").text().contains("drives = \"all\"") && OPERATOR.contains(OPERATOR_NAME));
    }
}
