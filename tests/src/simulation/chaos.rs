//! Processes stop, die and come back while clients go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use twinlog_log::memory::SESSION;

use super::dice::Dice;
use super::process::{Fleet, Machine};

/// Goes on until clients are through; then every process runs.
pub(super) async fn wreak(fleet: &mut Fleet, mut dice: Dice, over: &AtomicBool) -> Result<(), String> {
    let profile = fleet.profile().clone();
    if fleet.machines.is_empty() || !(profile.crashes || profile.stops) {
        return Ok(());
    }
    while !over.load(Ordering::SeqCst) {
        sleep(dice.up_to(Duration::from_secs(12))).await;
        let which = dice.below(fleet.machines.len());
        if profile.stops && (!profile.crashes || dice.chance(50)) {
            suspend(&fleet.machines[which], &mut dice).await;
        } else {
            crash(fleet, which, &mut dice).await?;
        }
    }
    fleet.machines.iter_mut().try_for_each(Machine::start)
}

/// Stops a process for a while, shorter or longer than its session lasts.
async fn suspend(machine: &Machine, dice: &mut Dice) {
    machine.suspend();
    let longest = if dice.chance(30) { SESSION } else { 5 * SESSION };
    let asleep = dice.up_to(longest);
    sleep(asleep.min(SESSION)).await;
    if let Some(longer) = asleep.checked_sub(SESSION).filter(|longer| !longer.is_zero()) {
        machine.time_out();
        sleep(longer).await;
    }
    machine.wake();
}

async fn crash(fleet: &mut Fleet, which: usize, dice: &mut Dice) -> Result<(), String> {
    let machine = &mut fleet.machines[which];
    if dice.chance(70) {
        machine.kill()
    } else {
        machine.stop().await
    }
    if dice.chance(15) {
        machine.wipe();
    }
    if dice.chance(60) {
        sleep(dice.up_to(Duration::from_secs(15))).await;
        machine.start()?;
    } else if dice.chance(50) {
        machine.start()?;
    }
    // Others stay down for a while: somebody else's turn brings them back.
    let other = dice.below(fleet.machines.len());
    fleet.machines[other].start()
}
