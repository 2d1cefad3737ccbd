//! The processes that are killed.

use crate::{
    deployment::{Deployment, Half, Member},
    lab_error::LabError,
    site::Site,
};

/// Twinlog at both sites: at one of them in one process, at the other in two.
pub struct Fleet(Vec<Member>);

impl Fleet {
    /// Prepares the processes; the number tells them from those of another fleet.
    ///
    /// # Errors
    /// Where one cannot be prepared.
    pub fn of(deployment: &Deployment, joint: Site, number: u64) -> Result<Self, LabError> {
        let split = joint.other();
        let member = |site: Site, half: Option<Half>, what: &str| {
            deployment.member(&format!("{what}-{number}-{site}"), site, half)
        };
        Ok(Self(vec![
            member(joint, None, "whole")?,
            member(split, Some(Half::Producer), "producer")?,
            member(split, Some(Half::Consumer), "consumer")?,
        ]))
    }

    /// Starts all; returns when all are ready.
    ///
    /// # Errors
    /// Where one does not become ready.
    pub async fn start(&mut self) -> Result<(), LabError> {
        self.0.iter_mut().try_for_each(Member::start)?;
        self.ready().await
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// Where one does not become ready.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        for member in &mut self.0 {
            member.ready().await?;
        }
        Ok(())
    }

    /// Stops all in good order.
    ///
    /// # Errors
    /// Where one has to be killed, or ends with an error.
    pub async fn stop(&mut self) -> Result<(), LabError> {
        futures::future::try_join_all(self.0.iter_mut().map(Member::stop)).await?;
        Ok(())
    }

    /// Each of them.
    pub fn members(&mut self) -> &mut [Member] {
        &mut self.0
    }
}
