//! Drives that refuse a security erase only because the PC's firmware froze them: a power cycle of the drive alone thaws
//! it, and the job waits for that.

use super::claim::Opener;
use crate::{
    ata::AtaDrive,
    discover::Drive,
    drive::Access,
    firmware::erase::{self, Port, Wanted},
    plan::{Plan, Sticks, Target},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a person is waited for.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until no target of a new plan is frozen, for at most `patience`, or until `enough` says so. One that stays frozen
/// stays in the plan: its certificate says why it was not erased.
pub fn wait(
    plan: &mut Plan,
    sticks: &Sticks,
    opener: &dyn Opener,
    patience: Duration,
    tell: &mut dyn FnMut(String),
    enough: &mut dyn FnMut() -> bool,
) {
    let Some(wanted) = plan.method().command else { return };
    let frozen = |target: &&Target| is_frozen(target.drive(), wanted, opener);
    let mut slots: Vec<u8> = plan.targets().iter().filter(frozen).map(Target::slot).collect();
    for target in plan.targets().iter().filter(|target| slots.contains(&target.slot())) {
        tell(format!(
            "{} ({}) is FROZEN by this PC's firmware and refuses to erase itself: pull its power connector (not the data \
             cable), wait ten seconds and plug it in again. The job goes on when the drive is back, and without it after {}.",
            target.drive().identity,
            target.drive().port,
            humantime::format_duration(patience)
        ));
    }
    let begun = Instant::now();
    while !slots.is_empty() && begun.elapsed() < patience && !enough() {
        thread::sleep(LOOK.min(patience));
        slots.retain(|slot| !thawed(plan, *slot, wanted, sticks, opener, tell));
    }
}

/// Whether a drive needs to be waited for no longer.
fn thawed(
    plan: &mut Plan,
    slot: u8,
    wanted: Wanted,
    sticks: &Sticks,
    opener: &dyn Opener,
    tell: &mut dyn FnMut(String),
) -> bool {
    let Some(target) = plan.targets().iter().find(|target| target.slot() == slot) else { return true };
    // While it is unplugged it is not found, and its old name may be another drive's.
    let Some(found) = opener.find(target.drive()) else { return false };
    if is_frozen(&found, wanted, opener) {
        return false;
    }
    let name = found.identity.to_string();
    match plan.find_again(slot, found, sticks) {
        Ok(()) => tell(format!("{name} is back and not frozen any more")),
        Err(reason) => tell(format!("{name} is back, and is not wiped: {reason}")),
    }
    true
}

fn is_frozen(drive: &Drive, wanted: Wanted, opener: &dyn Opener) -> bool {
    if drive.ata.is_none() {
        return false;
    }
    let Ok(Some(plane)) = opener.commands(drive, Access::ReadOnly) else { return false };
    let medium = super::commanded::medium(drive);
    erase::choose(&mut Port::Ata(AtaDrive::new(plane)), wanted, medium).is_err_and(|refusal| refusal.frozen)
}
