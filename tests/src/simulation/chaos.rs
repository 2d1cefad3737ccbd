//! Processes stop, die and come back while clients go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::dice::Dice;
use super::process::Fleet;

/// Goes on until clients are through; then every process runs.
pub(super) async fn wreak(fleet: &mut Fleet, mut dice: Dice, over: &AtomicBool) -> Result<(), String> {
    if fleet.machines.is_empty() || !crashes(fleet) {
        return Ok(());
    }
    while !over.load(Ordering::SeqCst) {
        sleep(dice.up_to(Duration::from_secs(12))).await;
        let which = dice.below(fleet.machines.len());
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
        fleet.machines[other].start()?;
    }
    fleet.machines.iter_mut().try_for_each(|machine| machine.start())
}

fn crashes(fleet: &Fleet) -> bool {
    fleet.machines.iter().any(super::process::Machine::crashes)
}
