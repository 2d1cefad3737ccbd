//! `twinlog dlq`: the dead letters of every site that a link leads into, listed, shown, replayed and discarded. Works on
//! the log alone, whether or not a Twinlog runs.

mod act;
pub mod args;
mod found;
mod progress;
mod reading;
mod row;
mod show;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clap::CommandFactory;
use clap::error::ErrorKind;
use futures::{TryStreamExt, stream};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use twinlog_log::clock::{Clock, Ids, SystemClock};

use act::{Act, Deed, Done};
use args::{DiscardOptions, DlqCommand, Filter, ListOptions, Place, ReplayOptions, ShowOptions};
pub use found::{Choice, Found};
use progress::Progress;
pub use reading::Reading;
use row::Row;
use show::Whole;

use crate::args::Args;
use crate::config::Config;
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};

/// How many letters the table shows unless it is told otherwise.
const ROWS: usize = 1_000;
/// Letters that are replayed or discarded at a time.
const UNDER_WAY: usize = 32;

/// `twinlog dlq …`.
pub async fn dlq(config: Config, command: DlqCommand) -> Result<Exit, Failure> {
    match &command {
        DlqCommand::Replay(options) => chosen(&options.letters, &options.filter, options.all),
        DlqCommand::Discard(options) => chosen(&options.letters, &options.filter, options.all),
        DlqCommand::List(_) | DlqCommand::Show(_) => {}
    }
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    match command {
        DlqCommand::List(options) => list(&deployment, options).await,
        DlqCommand::Show(options) => show(&deployment, options).await,
        DlqCommand::Replay(options) => replay(&deployment, options).await,
        DlqCommand::Discard(options) => discard(&deployment, options).await,
    }
}

/// Whoever means all letters has to say so: else this ends the process as a wrong command line does.
fn chosen(letters: &[Place], filter: &Filter, all: bool) {
    if letters.is_empty() && !all && *filter == Filter::default() {
        let message = "no letter is chosen: name letters, filter them, or say --all";
        Args::command().error(ErrorKind::MissingRequiredArgument, message).exit();
    }
}

async fn list(deployment: &Deployment, options: ListOptions) -> Result<Exit, Failure> {
    let limit = options.filter.limit.unwrap_or(if options.json { usize::MAX } else { ROWS });
    // One more than is shown, so that it can be said that there are more.
    let filter = Filter { limit: Some(limit.saturating_add(1)), ..options.filter };
    let mut reading = Reading::begin(deployment, Choice::new(filter, &[], SystemClock.now_ms())).await?;
    let mut rows = vec![Row::heading()];
    let mut more = false;
    let mut shown = 0;
    while let Some(found) = reading.next().await? {
        more = shown == limit;
        if more {
            break;
        }
        shown += 1;
        if options.json {
            print_line(&Row::of(&found))?;
        } else {
            rows.push(Row::of(&found).cells());
        }
    }
    if !options.json {
        print!("{}", if rows.len() > 1 { crate::show::table(&rows) } else { "no letters\n".to_owned() });
    }
    if more {
        eprintln!("there are more than these {limit}: filter them, or raise --limit");
    }
    strangers(&reading);
    Ok(Exit::Success)
}

/// Says of records in the topics that no letter is made of them.
fn strangers(reading: &Reading<'_>) {
    if reading.strangers() > 0 {
        eprintln!("{} records in the dead-letter topics are no letters of Twinlog's", reading.strangers());
    }
}

async fn show(deployment: &Deployment, options: ShowOptions) -> Result<Exit, Failure> {
    let mut reading = Reading::begin(deployment, Choice::one(&options.letter, options.into)).await?;
    let mut raw = options.raw;
    let mut shown = false;
    while let Some(found) = reading.next().await? {
        shown = true;
        let whole = Whole::of(&found);
        if options.json {
            print_line(&whole)?;
        } else {
            print!("{}", whole.text());
        }
        if let Some(path) = raw.take() {
            // The same record is the cause of every letter of this name.
            let bytes = found.letter.value.as_deref().unwrap_or_default();
            let written = std::fs::write(&path, bytes);
            written.map_err(|error| Failure::internal(format!("{} cannot be written: {error}", path.display())))?;
            eprintln!("{} bytes written to {}", bytes.len(), path.display());
        }
    }
    if !shown {
        missing(&options.letter.0);
    }
    Ok(if shown { Exit::Success } else { Exit::Findings })
}

/// Says of a letter that is named that it is not there.
fn missing(letter: &twinlog_log::Position) {
    eprintln!("no letter is kept of {}/{}: it may have expired", letter.partition, letter.offset);
}

async fn replay(deployment: &Deployment, options: ReplayOptions) -> Result<Exit, Failure> {
    let choice = Choice::new(options.filter, &options.letters, SystemClock.now_ms());
    let act = Act::new(deployment, Deed::Replay, options.by, options.dry_run, clock_and_ids())?;
    let words = ["replayed", "would be replayed", "cannot be replayed"];
    act_on(deployment, &act, choice, options.rate, Told { words, json: options.json }).await
}

async fn discard(deployment: &Deployment, options: DiscardOptions) -> Result<Exit, Failure> {
    let choice = Choice::new(options.filter, &options.letters, SystemClock.now_ms());
    let act = Act::new(deployment, Deed::Discard(options.why), options.by, options.dry_run, clock_and_ids())?;
    let words = ["discarded", "would be discarded", "cannot be discarded"];
    act_on(deployment, &act, choice, None, Told { words, json: options.json }).await
}

fn clock_and_ids() -> (Arc<dyn Clock>, Ids) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // A command makes few ids, none of which another process makes at the same nanosecond.
    let seed = u64::from(std::process::id()) ^ clock.now_ns().unsigned_abs();
    (Arc::clone(&clock), Ids::new(clock, seed))
}

/// How what is done with letters is told.
struct Told {
    /// Done, would be done, cannot be done.
    words: [&'static str; 3],
    json: bool,
}

/// What was done with one letter, for machines.
#[derive(Serialize)]
struct Line {
    letter: String,
    link: String,
    bucket: Option<String>,
    key: Option<String>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Acts on the letters that are chosen, several at a time, and tells what came of each that is worth a line.
async fn act_on(
    deployment: &Deployment,
    act: &Act<'_>,
    choice: Choice,
    rate: Option<u32>,
    told: Told,
) -> Result<Exit, Failure> {
    let mut named: BTreeSet<_> = choice.named().cloned().collect();
    let reading = Reading::begin(deployment, choice).await?;
    let pace = rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let letters = stream::try_unfold((reading, pace), |(mut reading, mut pace)| async move {
        let Some(found) = reading.next().await? else {
            strangers(&reading);
            return Ok::<_, Failure>(None);
        };
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let left = reading.left();
        Ok(Some(((found, left), (reading, pace))))
    });
    let acting = letters.map_ok(|(found, left)| async move { Ok((act.one(&found).await?, found, left)) });
    let mut acted = std::pin::pin!(acting.try_buffer_unordered(UNDER_WAY));
    let (mut counts, mut progress) = ([0u64; 3], Progress::on_terminal());
    loop {
        let next = acted.try_next().await.inspect_err(|_| {
            progress.end();
            eprintln!("{}; the rest is as it was: do it again", summary(&counts, &told.words));
        });
        let Some((done, found, left)) = next? else { break };
        named.remove(&found.letter.cause.at);
        let (number, why) = match done {
            Done::Acted => (0, None),
            Done::Would => (1, None),
            Done::Cannot(why) => (2, Some(why)),
        };
        counts[number] += 1;
        tell(&mut progress, &told, number, &found, why)?;
        let all = counts.iter().sum::<u64>();
        progress.at(all, all + left, &summary(&counts, &told.words));
    }
    progress.end();
    if !told.json {
        println!("{}", summary(&counts, &told.words));
    }
    named.iter().for_each(missing);
    Ok(if counts[2] == 0 && named.is_empty() { Exit::Success } else { Exit::Findings })
}

/// What came of one letter: all of it for machines, what is not as it was wished for people.
fn tell(
    progress: &mut Progress,
    told: &Told,
    number: usize,
    found: &Found,
    why: Option<String>,
) -> Result<(), Failure> {
    let outcome = told.words[number];
    let (letter, link) = (found.letter.cause.to_string(), found.link());
    let (bucket, key) = (found.letter.bucket.as_ref().map(ToString::to_string), found.key());
    if told.json {
        return print_line(&Line { letter, link, bucket, key, outcome, why });
    }
    if number > 0 {
        progress.end();
        let of = [bucket, key.map(|key| key.escape_debug().to_string())];
        let of = of.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        println!("{letter} ({link} {of}) {outcome}{why}");
    }
    Ok(())
}

fn summary(counts: &[u64; 3], words: &[&'static str; 3]) -> String {
    let counted = counts.iter().zip(words).filter(|(count, _)| **count > 0);
    let parts: Vec<_> = counted.map(|(count, word)| format!("{count} {word}")).collect();
    if parts.is_empty() { format!("0 {}", words[0]) } else { parts.join(", ") }
}

fn print_line<T: Serialize>(line: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(line).map_err(|error| Failure::internal(error.to_string()))?;
    println!("{text}");
    Ok(())
}

#[cfg(test)]
mod tests;
