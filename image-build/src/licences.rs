//! May every dependency be linked? Reads the output of `cargo metadata`, needs no network.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

/// SPDX identifiers of licences that MIT OR Apache-2.0 code may link without further duties than keeping the notice; as in
/// `deny.toml`, which cargo-deny reads where it is installed.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Fails with a list of the packages whose licence is not allowed; notes packages that are there in several versions.
pub fn check(metadata: impl Read, report: &mut impl Write) -> Result<()> {
    let metadata: Value = serde_json::from_reader(metadata).context("reading `cargo metadata --format-version 1`")?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut refused = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let version = package["version"].as_str().unwrap_or_default();
        versions.entry(name).or_default().push(version);
        let licence = package["license"].as_str().unwrap_or("no licence stated");
        if !is_allowed(licence) {
            refused.push(format!("{name} {version}: {licence}"));
        }
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        writeln!(report, "note: {name} is there in {} versions: {}", versions.len(), versions.join(", "))?;
    }
    ensure!(refused.is_empty(), "licences that are not on the list of allowed ones:\n{}", refused.join("\n"));
    writeln!(report, "{} packages, all licences allowed", packages.len())?;
    Ok(())
}

/// Evaluates an SPDX expression: AND binds tighter than OR; `/` is the old spelling of OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &tokens[..];
    alternatives(&mut rest) && rest.is_empty()
}

fn alternatives(tokens: &mut &[&str]) -> bool {
    let mut allowed = conjunction(tokens);
    while let ["OR", rest @ ..] = *tokens {
        *tokens = rest;
        // Both sides are parsed in any case, so that the position is right.
        allowed = conjunction(tokens) || allowed;
    }
    allowed
}

fn conjunction(tokens: &mut &[&str]) -> bool {
    let mut allowed = licence(tokens);
    while let ["AND", rest @ ..] = *tokens {
        *tokens = rest;
        allowed = licence(tokens) && allowed;
    }
    allowed
}

fn licence(tokens: &mut &[&str]) -> bool {
    match *tokens {
        ["(", rest @ ..] => {
            *tokens = rest;
            let allowed = alternatives(tokens);
            let [")", rest @ ..] = *tokens else { return false };
            *tokens = rest;
            allowed
        }
        [name, "WITH", exception, rest @ ..] => {
            *tokens = rest;
            ALLOWED.contains(&format!("{name} WITH {exception}").as_str())
        }
        [name, rest @ ..] => {
            *tokens = rest;
            ALLOWED.contains(name)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_that_of_deny_toml() {
        let deny = include_str!("../../deny.toml");
        let list = deny.split_once("\nallow = [").unwrap().1.split_once(']').unwrap().0;
        let listed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(listed, ALLOWED);
    }

    #[test]
    fn licence_expressions() {
        for allowed in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR LGPL-2.1",
            "LGPL-2.1-or-later OR MIT AND ISC",
        ] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "",
            "(MIT",
            "MIT)",
            "MIT ISC",
            "GPL-2.0 WITH LLVM-exception",
            "(MIT OR ISC) AND LGPL-3.0",
        ] {
            assert!(!is_allowed(refused), "{refused}");
        }
    }

    #[test]
    fn the_report_names_refused_packages_and_duplicates() {
        let good = r#"{"packages": [{"name": "a", "version": "1.0.0", "license": "MIT"},
                                    {"name": "a", "version": "2.0.0", "license": "ISC"}]}"#;
        let mut report = Vec::new();
        check(good.as_bytes(), &mut report).unwrap();
        assert!(String::from_utf8(report).unwrap().contains("a is there in 2 versions: 1.0.0, 2.0.0"));
        let bad = r#"{"packages": [{"name": "b", "version": "1.0.0", "license": null}]}"#;
        let error = check(bad.as_bytes(), &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("b 1.0.0: no licence stated"), "{error}");
    }
}
