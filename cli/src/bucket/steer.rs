//! A person's word on a bucket of a link: let it go on, stop it, go on again. What is said is put on record in the
//! control topic of the link's target; running processes follow it within a moment.

use std::sync::Arc;

use twinlog_consumer::hold::tell_hold;
use twinlog_control::{Control, Direction, Entry, Hold, Key, Pause, Reason, Scope};
use twinlog_log::TellTopic;
use twinlog_log::clock::{Clock, Ids, SystemClock};
use twinlog_schemas::{EventType, SiteName};

use crate::args::SteerOptions;
use crate::config::LinkConfig;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::finding::Finding;

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// What it is held for is seen: it may go on.
    Release,
    /// The same, and it needs no sweep any more.
    ReleaseSwept,
    /// Stop.
    Pause,
    /// Go on after a pause.
    Resume,
}

/// Says it of the bucket on every link that carries it, or on those chosen.
pub async fn steer(deployment: &Deployment, what: Steer, options: &SteerOptions) -> Result<Vec<Finding>, Failure> {
    let carried = deployment.config.links_of(&options.bucket);
    let chosen = |asked: &Option<SiteName>, site: &SiteName| asked.as_ref().is_none_or(|asked| asked == site);
    let links: Vec<&LinkConfig> =
        carried.filter(|link| chosen(&options.from, &link.source) && chosen(&options.into, &link.target)).collect();
    if links.is_empty() {
        return Err(Failure::config(format!("no link between these sites carries bucket {}", options.bucket)));
    }
    let mut findings = Vec::new();
    for link in links {
        findings.push(one(deployment, what, link, options).await?);
        if what == Steer::ReleaseSwept {
            let direction = (link.source.clone(), options.bucket.clone());
            findings.extend(swept(deployment, &link.target, &direction).await?);
            if options.into.is_none() {
                findings.extend(swept(deployment, &link.source, &direction).await?);
            }
        }
    }
    Ok(findings)
}

/// Takes the request to sweep a direction back that stands at a site, if there is one.
async fn swept(deployment: &Deployment, at: &SiteName, direction: &Direction) -> Result<Option<Finding>, Failure> {
    let control = control(deployment, at).await?;
    let Some(sweep) = control.sweep(direction) else { return Ok(None) };
    control.remove(Key::Sweep(direction.clone())).await;
    let subject = format!("bucket {} from {}", direction.1, direction.0);
    Ok(Some(Finding::done(subject, format!("counts as swept at {at}; {}: {}", sweep.why, sweep.message))))
}

async fn one(
    deployment: &Deployment,
    what: Steer,
    link: &LinkConfig,
    options: &SteerOptions,
) -> Result<Finding, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = ids(&clock);
    let home = deployment.home(&link.target)?;
    let names = &deployment.config.topics.names;
    let control = control(deployment, &link.target).await?;
    let direction: Direction = (link.source.clone(), options.bucket.clone());
    let subject = format!("bucket {} {}", options.bucket, link.name());
    let told = TellTopic::new(Arc::clone(home), names, &link.target, Arc::clone(&clock), ids.clone());
    let tell = async |kind, hold: &Hold| {
        let at = (&link.target, ids.event_id(), clock.now_ns());
        tell_hold(&told, kind, at, &Scope::Bucket(direction.clone()), hold).await;
    };
    let paused = control.pause(&direction);
    Ok(match what {
        Steer::Release | Steer::ReleaseSwept => match control.hold(&Scope::Bucket(direction.clone())) {
            None => Finding::ok(subject, "it is not held"),
            Some(_) => match control.let_go(&direction, &options.by).await {
                Some(hold) => {
                    tell(EventType::HoldEnded, &hold).await;
                    let what = format!("released; it was held: {}: {}", hold.reason, hold.message);
                    if hold.reason.needs_release() {
                        Finding::done(subject, what)
                    } else {
                        Finding::warn(
                            subject,
                            what,
                            format!("it is held again unless mended: {}", hold.reason.remedy()),
                        )
                    }
                }
                None => Finding::ok(subject, "it is not held any more"),
            },
        },
        Steer::Pause if paused.is_some() => Finding::ok(subject, "it is paused already"),
        Steer::Pause => {
            let pause = Pause { by: options.by.clone(), since_us: clock.now_us() };
            control.put(Entry::Pause(direction.clone(), pause.clone())).await;
            tell(EventType::HoldBegun, &pause.as_hold()).await;
            Finding::done(subject, "paused: its changes wait in the log, no longer than the log keeps them")
        }
        Steer::Resume => match paused {
            None => Finding::ok(subject, "it is not paused"),
            Some(pause) => {
                control.remove(Key::Pause(direction.clone())).await;
                tell(EventType::HoldEnded, &pause.as_hold()).await;
                match control.stopped(&direction) {
                    None | Some(Reason::Paused) => Finding::done(subject, "resumed"),
                    Some(reason) => Finding::warn(subject, format!("resumed, but held: {reason}"), reason.remedy()),
                }
            }
        },
    })
}

/// What is on record at a site.
pub async fn control(deployment: &Deployment, site: &SiteName) -> Result<Control, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = ids(&clock);
    let home = Arc::clone(deployment.home(site)?);
    let control = Control::new(home, &deployment.config.topics.names, site, clock, ids);
    control.load().await.map_err(|error| deployment.home_failed(site, &error))?;
    Ok(control)
}

/// Ids of a command.
pub fn ids(clock: &Arc<dyn Clock>) -> Ids {
    // A command makes few ids, none of which another process makes at the same nanosecond.
    Ids::new(Arc::clone(clock), u64::from(std::process::id()) ^ clock.now_ns().unsigned_abs())
}
