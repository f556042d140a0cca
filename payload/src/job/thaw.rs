//! Drives that refuse a security erase only because the PC's firmware froze them: a power cycle of the drive alone thaws
//! it, and the job waits for that.

use super::claim::Opener;
use crate::{
    ata::AtaDrive,
    discover::Drive,
    drive::Access,
    firmware::erase::{self, Port},
    plan::{Plan, Sticks, Target},
};
use mule_types::technique::Wanted;
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a person is waited for.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// How long drives may need to be back after the PC slept.
const BACK: Duration = Duration::from_secs(30);

/// Takes the supply from all drives with `sleep`, where a target of a new plan is frozen.
pub fn suspend(
    plan: &mut Plan,
    sticks: &Sticks,
    opener: &dyn Opener,
    sleep: &mut dyn FnMut() -> Result<Duration, String>,
    tell: &mut dyn FnMut(String),
) {
    let Some((wanted, slots)) = frozen(plan, opener) else { return };
    for target in plan.targets().iter().filter(|target| slots.contains(&target.slot())) {
        tell(format!("{} ({}) is FROZEN by this PC's firmware", target.drive().identity, target.drive().port));
    }
    tell(
        "This PC sleeps for some seconds, so that its drives lose their power. The screen may stay dark afterwards."
            .into(),
    );
    match sleep() {
        Ok(slept) => tell(format!("this PC slept for {} s", slept.as_secs())),
        Err(why) => return tell(format!("The drives stay frozen: {why}.")),
    }
    follow((plan, slots, wanted), sticks, opener, BACK, tell, &mut || false);
}

/// What the method asks of its drives, and the slots of those that refuse it as frozen; `None` where there are none.
fn frozen(plan: &Plan, opener: &dyn Opener) -> Option<(Wanted, Vec<u8>)> {
    let wanted = plan.method().command?;
    let frozen = |target: &&Target| is_frozen(target.drive(), wanted, opener);
    let slots: Vec<u8> = plan.targets().iter().filter(frozen).map(Target::slot).collect();
    (!slots.is_empty()).then_some((wanted, slots))
}

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
    let Some((wanted, slots)) = frozen(plan, opener) else { return };
    for target in plan.targets().iter().filter(|target| slots.contains(&target.slot())) {
        tell(format!(
            "{} ({}) is FROZEN by this PC's firmware and refuses to erase itself: pull its power connector (not the data \
             cable), wait ten seconds and plug it in again. The job goes on when the drive is back, and without it after {}.",
            target.drive().identity,
            target.drive().port,
            humantime::format_duration(patience)
        ));
    }
    follow((plan, slots, wanted), sticks, opener, patience, tell, enough);
}

/// Looks at the drives in `slots` until each of them is back and not frozen.
fn follow(
    (plan, mut slots, wanted): (&mut Plan, Vec<u8>, Wanted),
    sticks: &Sticks,
    opener: &dyn Opener,
    patience: Duration,
    tell: &mut dyn FnMut(String),
    enough: &mut dyn FnMut() -> bool,
) {
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
    let medium = drive.medium();
    erase::choose(&mut Port::Ata(AtaDrive::new(plane)), wanted, medium).is_err_and(|refusal| refusal.frozen)
}
