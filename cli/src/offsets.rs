//! `twinlog offsets rewind`: has a stretch of a change topic read once more.
//!
//! The commits are made by whoever owns a partition's lane, and by nobody else, or a commit that is under way could undo
//! what a person wants. So the command only asks: for each partition it puts a request into the site's control topic. The
//! owner stops reading there, commits the offset asked for with nothing done above it, begins again, and takes the request
//! back; where nobody runs, whoever starts does so. Asked twice, or carried out twice after a crash, the same events are
//! read once more, which changes nothing.

use std::sync::Arc;

use serde::Serialize;
use twinlog_control::{Control, Entry, Rewind};
use twinlog_log::TopicName;
use twinlog_log::clock::{Clock, SystemClock};

use crate::args::RewindOptions;
use crate::bucket::control;
use crate::config::{Config, LinkConfig};
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};
use crate::show;

/// What becomes of one partition.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    link: String,
    partition: String,
    /// Where it is read on from now.
    committed: i64,
    /// Where it is read on from then.
    to: i64,
    /// Records that are read once more.
    again: i64,
    /// Whether the log has no more what was written at that time.
    beginning_is_gone: bool,
}

/// `twinlog offsets rewind`.
pub async fn rewind(config: Config, options: RewindOptions) -> Result<Exit, Failure> {
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let rows = ask(&deployment, &options).await?;
    if options.json {
        show::json(&rows)?;
    } else {
        print!("{}", text(&rows, &options));
    }
    Ok(Exit::Success)
}

/// Looks up what would be read once more, and asks for it unless it is a trial.
async fn ask(deployment: &Deployment, options: &RewindOptions) -> Result<Vec<Row>, Failure> {
    let config = &deployment.config;
    let chosen =
        |link: &&LinkConfig| link.target == options.at && options.from.as_ref().is_none_or(|from| *from == link.source);
    let links: Vec<&LinkConfig> = config.links_of(&options.bucket).filter(chosen).collect();
    if links.is_empty() {
        let from = options.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
        return Err(Failure::config(format!("no link{from} into {} carries bucket {}", options.at, options.bucket)));
    }
    let control = control(deployment, &options.at).await?;
    let mut rows = Vec::new();
    for link in links {
        rows.extend(of_link(deployment, &control, link, options).await?);
    }
    Ok(rows)
}

async fn of_link(
    deployment: &Deployment,
    control: &Control,
    link: &LinkConfig,
    options: &RewindOptions,
) -> Result<Vec<Row>, Failure> {
    let names = &deployment.config.topics.names;
    let log = deployment.home(&link.source)?;
    let failed = |error| deployment.home_failed(&link.source, &error);
    let topic = names.changes(&link.source, &options.bucket);
    let Some(ends) = log.ends_of(&topic).await.map_err(failed)? else { return Err(not_enabled(&topic)) };
    let partitions: Vec<_> = ends.keys().cloned().collect();
    let committed = log.committed(&names.group(&link.target, "apply"), &partitions).await.map_err(failed)?;
    let to_ms = i64::try_from(options.to.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let mut rows = Vec::new();
    for (partition, ends) in ends {
        let at_time = log.offset_at(&partition, to_ms).await.map_err(failed)?.unwrap_or(ends.next);
        // What nobody has committed yet is read from the beginning anyway.
        let committed = committed.get(&partition).map_or(ends.first, |commit| commit.offset.max(ends.first));
        if at_time >= committed {
            continue;
        }
        if !options.dry_run {
            let rewind = Rewind { to: at_time, by: options.by.clone(), at_us: SystemClock.now_us() };
            control.put(Entry::Rewind(partition.clone(), rewind)).await;
        }
        rows.push(Row {
            link: link.name(),
            partition: partition.to_string(),
            committed,
            to: at_time,
            again: committed - at_time,
            beginning_is_gone: at_time == ends.first && ends.first > 0,
        });
    }
    Ok(rows)
}

fn not_enabled(topic: &TopicName) -> Failure {
    Failure::config(format!("there is no topic {topic}: the bucket is not enabled (`twinlog bucket enable`)"))
}

fn text(rows: &[Row], options: &RewindOptions) -> String {
    let again: i64 = rows.iter().map(|row| row.again).sum();
    if again == 0 {
        return "nothing that was written since then has been done yet: nothing is read once more\n".to_owned();
    }
    let heading = ["LINK", "PARTITION", "COMMITTED", "TO", "AGAIN"].map(str::to_owned).to_vec();
    let of = |row: &Row| {
        vec![
            row.link.clone(),
            row.partition.clone(),
            row.committed.to_string(),
            row.to.to_string(),
            row.again.to_string(),
        ]
    };
    let mut text = show::table(&std::iter::once(heading).chain(rows.iter().map(of)).collect::<Vec<_>>());
    if rows.iter().any(|row| row.beginning_is_gone) {
        text.push_str("the log does not go back to that time any more: it is read from where it begins\n");
    }
    let said = if options.dry_run {
        "would be read once more; nothing was asked for (--dry-run)"
    } else {
        "are read once more: at once where a consumer runs, else when one starts"
    };
    text.push_str(&format!("{again} change events {said}\n"));
    text
}

#[cfg(test)]
mod tests;
