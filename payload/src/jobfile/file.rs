//! The text of a job file to a [`Request`]: every unknown key and every value of the wrong kind is a [`Problem`].

use super::{
    key::{Key, Kind},
    problem::{Place, Problem, hint, shown},
    request::{Drives, Given, Keys, MediaFields, Request},
    values::Word as _,
};
use crate::certify::record::Operator;
use std::{collections::BTreeMap, sync::Arc};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

const TABLES: [&str; 3] = ["job", "operator", "media"];
const OPERATOR_KEYS: [&str; 5] = ["name", "title", "organisation", "location", "contact"];
const MEDIA_KEYS: [&str; 3] = ["property-number", "source", "classification"];
/// A certificate is a page: longer texts than this (in characters) do not belong on it.
const TEXT_MAX: usize = 200;

type Name<'i> = Spanned<DeString<'i>>;
type Value<'i> = Spanned<DeValue<'i>>;

/// Reads a job file's text (no byte order mark, `\n` or `\r\n`).
pub(super) fn read(file: &Arc<str>, text: &str) -> Request {
    let mut reader = Reader { file, text, problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What a parser salvages from a broken text may be anything; only the broken places are reported.
        for error in errors.iter().take(10) {
            let place = reader.place(error.span().map_or(0, |span| span.start));
            reader.problems.push(Problem { place, key: String::new(), message: one_line(error.message()) });
        }
        return reader.finish(Parts::default());
    }
    let mut parts = Parts::default();
    for (key, value) in document.get_ref().iter() {
        let Some(table) = reader.table(key, value, &TABLES) else { continue };
        match key.get_ref().as_ref() {
            "job" => {
                parts.job = Some(reader.place(key.span().start));
                parts.keys = reader.job(table);
            }
            "operator" => reader.operator(table, &mut parts.operator),
            _ => reader.media(table, &mut parts),
        }
    }
    reader.finish(parts)
}

/// What has been read so far.
#[derive(Default)]
struct Parts {
    job: Option<Place>,
    keys: Keys,
    operator: Operator,
    media_default: MediaFields,
    media: BTreeMap<String, MediaFields>,
}

struct Reader<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn finish(self, parts: Parts) -> Request {
        let place = parts.job.unwrap_or_else(|| Place::File(self.file.clone()));
        let Parts { keys, operator, media_default, media, .. } = parts;
        Request { place, keys, operator, media_default, media, problems: self.problems }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::Line {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn problem(&mut self, offset: usize, key: &str, message: impl Into<String>) {
        let place = self.place(offset);
        self.problems.push(Problem { place, key: printable(key), message: message.into() });
    }

    fn unknown(&mut self, key: &Name<'_>, allowed: &[&str]) {
        let name = key.get_ref().as_ref();
        let hint = hint(name, allowed.iter().copied());
        let message = format!("unknown key{hint} Allowed: {}", allowed.join(", "));
        self.problem(key.span().start, name, message);
    }

    /// The table under a key of `allowed`.
    fn table<'v, 'i>(&mut self, key: &Name<'i>, value: &'v Value<'i>, allowed: &[&str]) -> Option<&'v DeTable<'i>> {
        let name = key.get_ref().as_ref();
        if !allowed.contains(&name) {
            self.unknown(key, allowed);
            return None;
        }
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.problem(value.span().start, name, format!("must be a table: a line [{name}] with its keys below"));
        }
        table
    }

    fn job(&mut self, table: &DeTable<'_>) -> Keys {
        let mut keys = Keys::default();
        for (key, value) in table.iter() {
            let Some(known) = Key::from_word(key.get_ref()) else {
                self.unknown(key, &Key::names().collect::<Vec<_>>());
                continue;
            };
            let text = match known.kind() {
                Kind::Drives => {
                    keys.drives = self.drives(key, value);
                    continue;
                }
                Kind::Text => self.word(key, value),
                Kind::Number => self.number(key, value),
                Kind::TextOrNumber => self.word_or_number(key, value),
                Kind::Switch => self.switch(key, value),
            };
            keys.texts.extend(text.map(|text| (known, text)));
        }
        keys
    }

    fn given<T>(&self, key: &Name<'_>, value: &Value<'_>, inner: T) -> Given<T> {
        Given { value: inner, place: self.place(value.span().start), key: key.get_ref().to_string() }
    }

    fn word(&mut self, key: &Name<'_>, value: &Value<'_>) -> Option<Given<String>> {
        self.of_kind(key, value, value.get_ref().as_str().map(str::to_owned), "a text in quotation marks")
    }

    fn number(&mut self, key: &Name<'_>, value: &Value<'_>) -> Option<Given<String>> {
        self.of_kind(key, value, decimal(value.get_ref()), "a whole number without quotation marks")
    }

    fn word_or_number(&mut self, key: &Name<'_>, value: &Value<'_>) -> Option<Given<String>> {
        let text = value.get_ref().as_str().map(str::to_owned).or_else(|| decimal(value.get_ref()));
        self.of_kind(key, value, text, "a text in quotation marks or a whole number")
    }

    fn switch(&mut self, key: &Name<'_>, value: &Value<'_>) -> Option<Given<String>> {
        let text = value.get_ref().as_bool().map(|on| on.to_string());
        self.of_kind(key, value, text, "true or false without quotation marks")
    }

    fn of_kind(
        &mut self,
        key: &Name<'_>,
        value: &Value<'_>,
        text: Option<String>,
        expected: &str,
    ) -> Option<Given<String>> {
        let given = text.map(|text| self.given(key, value, text));
        if given.is_none() {
            self.wrong_kind(key, value, expected);
        }
        given
    }

    fn drives(&mut self, key: &Name<'_>, value: &Value<'_>) -> Option<Given<Drives>> {
        match value.get_ref() {
            DeValue::String(word) => Some(self.given(key, value, Drives::Word(word.to_string()))),
            DeValue::Array(items) => {
                let names: Vec<_> = items.iter().map(|item| self.word(key, item)).collect();
                // One bad entry: the whole list is in doubt.
                let names = names.into_iter().collect::<Option<Vec<_>>>()?;
                Some(self.given(key, value, Drives::List(names)))
            }
            _ => {
                self.wrong_kind(key, value, "\"all\" or a list of serial numbers or WWNs in square brackets");
                None
            }
        }
    }

    fn wrong_kind(&mut self, key: &Name<'_>, value: &Value<'_>, expected: &str) {
        let message = format!("must be {expected}, this is {}", kind(value.get_ref()));
        self.problem(value.span().start, key.get_ref(), message);
    }

    /// A text for the certificate: one line, not too long.
    fn certificate_text(&mut self, key: &Name<'_>, value: &Value<'_>, into: &mut String) {
        let Some(text) = self.word(key, value) else { return };
        let text = text.value.trim();
        if text.chars().any(char::is_control) {
            self.problem(value.span().start, key.get_ref(), "must be one line of printable text");
        } else if text.chars().count() > TEXT_MAX {
            let message = format!("is longer than {TEXT_MAX} characters");
            self.problem(value.span().start, key.get_ref(), message);
        } else {
            text.clone_into(into);
        }
    }

    fn operator(&mut self, table: &DeTable<'_>, operator: &mut Operator) {
        for (key, value) in table.iter() {
            let field = match key.get_ref().as_ref() {
                "name" => &mut operator.name,
                "title" => &mut operator.title,
                "organisation" => &mut operator.organisation,
                "location" => &mut operator.location,
                "contact" => &mut operator.contact,
                _ => {
                    self.unknown(key, &OPERATOR_KEYS);
                    continue;
                }
            };
            self.certificate_text(key, value, field);
        }
    }

    fn media(&mut self, table: &DeTable<'_>, parts: &mut Parts) {
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            match (name, value.get_ref()) {
                (_, DeValue::Table(_)) if name.trim().is_empty() => {
                    self.problem(key.span().start, "media", "a serial number or WWN must not be empty");
                }
                (_, DeValue::Table(fields)) => {
                    let media = parts.media.entry(name.trim().to_owned()).or_default();
                    for (key, value) in fields.iter() {
                        self.media_field(key, value, media);
                    }
                }
                ("property-number", _) => {
                    let message = "belongs to one drive: put it under [media.\"SERIAL\"]";
                    self.problem(key.span().start, name, message);
                }
                _ => self.media_field(key, value, &mut parts.media_default),
            }
        }
    }

    fn media_field(&mut self, key: &Name<'_>, value: &Value<'_>, media: &mut MediaFields) {
        let field = match key.get_ref().as_ref() {
            "property-number" => &mut media.property_number,
            "source" => &mut media.source,
            "classification" => &mut media.classification,
            _ => return self.unknown(key, &MEDIA_KEYS),
        };
        self.certificate_text(key, value, field);
    }
}

/// A whole number in any of TOML's notations; one too large for `i64` is out of range in any case.
fn decimal(value: &DeValue<'_>) -> Option<String> {
    let number = value.as_integer()?;
    Some(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX).to_string())
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn printable(key: &str) -> String {
    if key.chars().all(|c| c.is_ascii_graphic()) && key.len() <= 60 { key.to_owned() } else { shown(key) }
}

fn one_line(message: &str) -> String {
    format!("not valid TOML: {}", message.split_whitespace().collect::<Vec<_>>().join(" "))
}
