//! Drives that a person names on the command line, and the word that lets them be written.

use super::host;
use crate::{
    console::format,
    discover::{self, Bus, Drive, Roots},
    say,
};
use std::path::PathBuf;

/// The drives at these paths, each asked who it is.
pub(super) fn drives(roots: &Roots, paths: &[PathBuf]) -> Result<Vec<Drive>, String> {
    let mut drives: Vec<Drive> = Vec::new();
    for path in paths {
        let mut drive = discover::identify_path(roots, path).map_err(|error| error.to_string())?;
        if drives.iter().any(|other| other.path == drive.path) {
            return Err(format!("{} is named twice", path.display()));
        }
        discover::ask(&mut drive);
        drives.push(drive);
    }
    Ok(drives)
}

/// What a person calls a drive: its serial number, else its WWN; a file by its whole path. Blank where it has no name that
/// can be written.
pub(super) fn name_of(drive: &Drive) -> String {
    let id = &drive.identity;
    match drive.bus {
        Bus::File => {
            drive.path.canonicalize().ok().and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_default()
        }
        _ if id.serial.is_empty() => id.wwn.clone().unwrap_or_default(),
        _ => id.serial.clone(),
    }
}

/// The serial numbers that were typed or given, one for every drive. `fate` is what becomes of its data: `erased`.
pub(super) fn authorise(fate: &str, given: &[String], drives: &[Drive]) -> Result<Vec<String>, String> {
    let given = |drive: &Drive| given.iter().any(|word| drive.is_called(word));
    let mut typed = Vec::new();
    for drive in drives {
        let name = name_of(drive);
        if name.is_empty() && drive.bus == Bus::File {
            return Err(format!("{:?}: a file whose path is not UTF-8 cannot be authorised; rename it", drive.path));
        }
        if !given(drive) {
            ask_for(fate, drive, &name)?;
        }
        typed.push(name);
    }
    Ok(typed)
}

fn ask_for(fate: &str, drive: &Drive, name: &str) -> Result<(), String> {
    let what = format!("{} ({}, {})", drive.path.display(), drive.identity, format::size(drive.identity.bytes));
    if name.is_empty() {
        return Err(format!("{what} reports no serial number, so it cannot be authorised"));
    }
    if !host::is_terminal() {
        return Err(format!("{what} would be {fate}: say --yes-erase {}", say::word(name)));
    }
    tell!("ALL DATA on {what} will be destroyed.");
    let line = say::ask(format_args!("Type its serial number to go on: ")).map_err(|error| error.to_string())?;
    if line.trim_end_matches(['\n', '\r']) == name {
        Ok(())
    } else {
        Err(format!("that is not the serial number of {what}; nothing was written"))
    }
}
