//! Areas that drives hide: looked for before a wipe, and lifted where the job allows it.
//!
//! All of it happens before the job is announced in the log: a drive that shows more afterwards is planned and logged with the
//! size it has then, so that an interrupted job finds it again. Lifting a limit changes the drive for good, so it is
//! done only to targets of an authorised plan, and noted in the log before.

use super::{claim::Opener, status::Log};
use crate::{
    ata::AtaDrive,
    certify::erasure::reach,
    discover::{Bus, Drive},
    drive::Access,
    firmware::{
        Name, NotRecorded, Watcher,
        capacity::{self, RevealError, Size, Survey},
    },
    jobfile::HiddenAreas as Policy,
    journal::{
        bounded::Text,
        event::{Event, Sizes},
        replay::HiddenAreas,
    },
    plan::{Plan, Reason, Sticks, Target},
    scsi::CommandPlane,
};
use std::{thread, time::Duration};

/// Looks for what the targets of a new plan hide, and deals with it as the job says. `tell` hears what a person should know.
/// A drive's own trouble is that drive's alone; the error is the log's.
pub fn bare(
    plan: &mut Plan,
    policy: Policy,
    sticks: &Sticks,
    opener: &dyn Opener,
    log: &Log,
    tell: &mut dyn FnMut(String),
) -> Result<(), String> {
    let slots: Vec<u8> = plan.targets().iter().map(Target::slot).collect();
    for slot in slots {
        let Some(target) = plan.targets().iter().find(|target| target.slot() == slot) else { continue };
        let drive = target.drive().clone();
        let mut found = match look(&drive, policy, opener, log) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(Trouble::Log(why)) => return Err(why),
            Err(Trouble::Drive(why)) => {
                tell(format!("{}: it is not wiped: {why}", drive.identity));
                plan.refuse(slot, Reason::HiddenAreas(why));
                continue;
            }
        };
        let hidden = found.areas.after.hidden();
        if policy == Policy::Refuse && (hidden > 0 || !found.areas.unknown.is_empty()) {
            tell(format!("{}: it is not wiped: {}", drive.identity, words(&found.areas)));
            plan.refuse(slot, Reason::HiddenAreas(words(&found.areas)));
            continue;
        }
        if found.grown {
            tell(format!("{}: {}", drive.identity, words(&found.areas)));
            let grown = opener.again(&drive, found.sectors);
            let regrown = match grown {
                Ok(grown) => {
                    found.areas.after.visible = grown.identity.bytes;
                    plan.regrow(slot, grown, sticks)
                }
                Err(why) => {
                    let reason = Reason::HiddenAreas(why);
                    plan.refuse(slot, reason.clone());
                    Err(reason)
                }
            };
            if let Err(reason) = regrown {
                tell(format!("{}: its hidden areas were lifted, and it is not wiped: {reason}", drive.identity));
                continue;
            }
        } else if hidden > 0 {
            tell(format!("{}: {}", drive.identity, words(&found.areas)));
        }
        found.areas.removal = policy == Policy::Remove;
        plan.note_hidden(slot, found.areas);
    }
    plan.renumber();
    Ok(())
}

struct Found {
    areas: HiddenAreas,
    /// Whether it shows more than before.
    grown: bool,
    /// Logical sectors that it shows, its own.
    sectors: u64,
}

/// What ends the look at a drive.
enum Trouble {
    /// It must not be written any more.
    Drive(String),
    /// Nothing may be done any more.
    Log(String),
}

/// `None` where the question has no meaning: files, and drives of other command sets.
fn look(drive: &Drive, policy: Policy, opener: &dyn Opener, log: &Log) -> Result<Option<Found>, Trouble> {
    let speaks_ata = drive.ata.is_some() || matches!(drive.bus, Bus::Ata | Bus::Usb);
    if !speaks_ata {
        return Ok(None);
    }
    let shown = drive.geometry.map_or(0, |geometry| geometry.bytes());
    let unknown = |why: String| {
        let sizes = Sizes { visible: shown, ..Sizes::default() };
        let areas = HiddenAreas { removal: false, before: sizes, after: sizes, unknown: why, left: String::new() };
        Ok(Some(Found { areas, grown: false, sectors: 0 }))
    };
    if drive.ata.is_none() {
        return unknown("the drive does not answer ATA commands".into());
    }
    let access = if policy == Policy::Remove { Access::ReadWrite } else { Access::ReadOnly };
    let plane = match opener.commands(drive, access) {
        Ok(Some(plane)) => plane,
        Ok(None) => return unknown("the drive takes no commands here".into()),
        // Whether it can be wiped at all shows when it is claimed for that.
        Err(why) => return unknown(why),
    };
    let mut ata = AtaDrive::new(plane);
    let before = match capacity::survey(&mut ata) {
        Ok(survey) => survey,
        Err(error) => return unknown(error.to_string()),
    };
    let stated = bytes(&before, before.visible());
    if shown > stated {
        return Err(Trouble::Drive(format!(
            "{shown} bytes can be addressed here, and the drive itself states {stated}: what it is connected through does not \
             show it as it is; connect it directly"
        )));
    }
    if policy != Policy::Remove || before.hidden() == 0 {
        let sizes = sizes(&before, shown);
        let areas =
            HiddenAreas { before: sizes, after: sizes, unknown: not_found_out(&before), ..HiddenAreas::default() };
        return Ok(Some(Found { areas, grown: false, sectors: 0 }));
    }
    lift(drive, shown, &mut ata, &before, log).map(Some)
}

/// `shown` is how many bytes can be addressed before it.
fn lift<P: CommandPlane>(
    drive: &Drive,
    shown: u64,
    ata: &mut AtaDrive<P>,
    before: &Survey,
    log: &Log,
) -> Result<Found, Trouble> {
    let text = format!(
        "{}: shows {} of {} sectors; what hides the others is going to be lifted for good",
        drive.identity,
        before.visible(),
        before.largest()
    );
    let noted = log.append(&Event::Note { text: Text::new(&text) });
    noted.map_err(|error| Trouble::Log(format!("the log could not be written: {error}")))?;
    let (after, left) = match capacity::reveal(ata, &mut Patient) {
        Ok(revealed) => (revealed.after().clone(), String::new()),
        Err(error @ RevealError::Exchanged) => return Err(Trouble::Drive(error.to_string())),
        // What was lifted before it failed stays lifted: the drive itself says how much that is.
        Err(error) => {
            let after = capacity::survey(ata).map_err(|why| Trouble::Drive(format!("{error}; {why}")))?;
            (after, error.to_string())
        }
    };
    let grown = after.visible() > before.visible();
    let areas = HiddenAreas {
        removal: true,
        before: sizes(before, shown),
        after: sizes(&after, if grown { bytes(&after, after.visible()) } else { shown }),
        unknown: not_found_out(&after),
        left,
    };
    Ok(Found { areas, grown, sectors: after.visible() })
}

/// Lifting a limit takes no password and no time worth showing.
struct Patient;

impl Watcher for Patient {
    fn before_password(&mut self, _: &Name) -> Result<(), NotRecorded> {
        Err(NotRecorded("no password is set to lift a limit".into()))
    }

    fn password_gone(&mut self) {}

    fn progress(&mut self, _: Option<u16>) {}

    fn stop(&self) -> bool {
        false
    }

    fn sleep(&mut self, time: Duration) {
        thread::sleep(time);
    }
}

/// So many of a drive's own sectors in bytes; a size that is none is larger than all.
fn bytes(survey: &Survey, sectors: u64) -> u64 {
    sectors.saturating_mul(u64::from(survey.sector()))
}

/// In bytes, since a bridge may show blocks of another size than the drive has; `shown` is what can be addressed.
fn sizes(survey: &Survey, shown: u64) -> Sizes {
    let known = |size: &Size| match size {
        Size::Sectors(sectors) => Some(bytes(survey, *sectors)),
        Size::Unsupported | Size::Unknown(_) => None,
    };
    Sizes {
        visible: shown,
        stated: Some(bytes(survey, survey.visible())),
        native: known(survey.native()),
        factory: known(survey.factory()),
        accessible: known(survey.accessible()),
    }
}

fn not_found_out(survey: &Survey) -> String {
    survey.unknown().map(|(limit, why)| format!("{limit}: {why}")).collect::<Vec<_>>().join("; ")
}

/// What is known of a drive's hidden areas, as a person reads it.
pub fn words(areas: &HiddenAreas) -> String {
    reach::words(&areas.before, &areas.after, &areas.unknown, &areas.left)
}

#[cfg(test)]
mod tests;
