//! The copyright notices of the crates inside the payload: their licences ask that copies carry them.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    path::Path,
};

/// How the names of files with notices begin, in capitals.
const NOTICE_FILES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

/// Writes the notices of everything linked into `root`, from `cargo metadata`; a text that several crates share is
/// written once.
pub fn write(metadata: impl Read, root: &str, output: &mut impl Write) -> Result<()> {
    let metadata: Value = serde_json::from_reader(metadata).context("reading `cargo metadata --format-version 1`")?;
    let linked = linked(&metadata, root)?;
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages(&metadata)?.iter().filter(|package| linked.contains(text(&package["id"]))) {
        // The project's own crates: its licences are on the stick in full.
        if package["source"].is_null() {
            continue;
        }
        let name = format!("{} {} ({})", text(&package["name"]), text(&package["version"]), text(&package["license"]));
        let folder = Path::new(text(&package["manifest_path"])).parent().context("a manifest without a folder")?;
        for notice in notices(folder).with_context(|| format!("reading the licences of {name}"))? {
            texts.entry(notice).or_default().push(name.clone());
        }
    }
    let mut sorted: Vec<_> = texts.into_iter().map(|(notice, names)| (names, notice)).collect();
    sorted.sort();
    for (names, notice) in sorted {
        write!(output, "{}\n{}\n\n{notice}\n\n\n", "=".repeat(80), names.join("\n"))?;
    }
    Ok(())
}

/// The ids of `root` and of all it depends on, without what only builds or tests it.
fn linked<'a>(metadata: &'a Value, root: &str) -> Result<BTreeSet<&'a str>> {
    let nodes = metadata["resolve"]["nodes"].as_array().context("`cargo metadata` has no dependency graph")?;
    let of_root = packages(metadata)?.iter().filter(|package| text(&package["name"]) == root);
    let mut open: Vec<&str> = of_root.map(|package| text(&package["id"])).collect();
    ensure!(!open.is_empty(), "there is no package {root}");
    let mut linked = BTreeSet::new();
    while let Some(id) = open.pop() {
        if linked.insert(id) {
            let node = nodes.iter().find(|node| text(&node["id"]) == id);
            let dependencies = node.and_then(|node| node["deps"].as_array()).into_iter().flatten();
            open.extend(dependencies.filter(|dependency| is_normal(dependency)).map(|d| text(&d["pkg"])));
        }
    }
    Ok(linked)
}

/// Kind `null` is a normal dependency; the others are "build" and "dev".
fn is_normal(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
}

fn packages(metadata: &Value) -> Result<&Vec<Value>> {
    metadata["packages"].as_array().context("`cargo metadata` lists no packages")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn notices(folder: &Path) -> Result<Vec<String>> {
    let mut notices = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if entry.file_type()?.is_file() && NOTICE_FILES.iter().any(|start| name.starts_with(start)) {
            let content = fs::read(entry.path())?;
            notices.push(String::from_utf8_lossy(&content).replace('\r', "").trim().to_owned());
        }
    }
    Ok(notices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn notices_of_what_is_linked_and_of_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut packages = Vec::new();
        for name in ["root", "linked", "deep", "builder"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("License-MIT"), format!("Copyright {name}\r\n")).unwrap();
            let source = if name == "root" { None } else { Some("registry") };
            packages.push(json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source,
                                 "manifest_path": dir.path().join(name).join("Cargo.toml")}));
        }
        let kind = |kind: Option<&str>| json!([{"kind": kind}]);
        let metadata = json!({"packages": packages, "resolve": {"nodes": [
            {"id": "root", "deps": [{"pkg": "linked", "dep_kinds": kind(None)},
                                    {"pkg": "builder", "dep_kinds": kind(Some("build"))}]},
            {"id": "linked", "deps": [{"pkg": "deep", "dep_kinds": kind(None)}]}]}});
        let mut output = Vec::new();
        write(metadata.to_string().as_bytes(), "root", &mut output).unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(output.contains("linked 1.0.0 (MIT)\n\nCopyright linked\n") && output.contains("Copyright deep"));
        assert!(!output.contains("builder") && !output.contains("Copyright root"));
        assert!(write(metadata.to_string().as_bytes(), "other", &mut Vec::new()).is_err());
    }
}
