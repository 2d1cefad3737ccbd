//! Compares a topic that exists with what is wanted of it. Pure.

use twinlog_log::{TopicInfo, TopicName};

use super::{PartitionsRule, Wanted};
use crate::finding::Finding;

/// What there is to say about a topic that was set up with so many partitions (`None`: nobody has read it yet) and has
/// others by now.
pub fn raised(topic: &TopicName, set_up: Option<i32>, found: Option<&TopicInfo>) -> Option<Finding> {
    let (set_up, now) = set_up.zip(found.map(|found| found.partitions)).filter(|(set_up, now)| set_up != now)?;
    let what =
        format!("it has {now} partitions and was set up with {set_up}: a key's changes may stand in two of them");
    let advice = "their order is kept again once what stood in it when they were added is done; then \
                  `twinlog bucket enable <bucket>` accepts them";
    Some(Finding::fail(format!("partitions of {topic}"), what, advice))
}

/// What there is to say about a topic as it is (`None`: it does not exist).
pub fn check(wanted: &Wanted, found: Option<&TopicInfo>, lanes: i32) -> Finding {
    let spec = &wanted.spec;
    let subject = format!("topic {}", spec.name);
    let Some(found) = found else {
        let advice = "`twinlog bucket enable <bucket>` creates it";
        return Finding::fail(subject, format!("missing on cluster {}", wanted.cluster), advice);
    };
    let partitions = found.partitions;
    let (fits, rule) = match wanted.purpose.partitions_rule(lanes) {
        PartitionsRule::Exactly(number) => (partitions == number, format!("must be {number}")),
        PartitionsRule::MultipleOf(number) => {
            (partitions % number == 0, format!("must be a multiple of the {number} lanes"))
        }
    };
    if !fits {
        let advice = "set lanes to what the site was set up with, or delete the topic while nothing is in it";
        return Finding::fail(subject, format!("it has {partitions} partitions and {rule}"), advice);
    }
    if found.replication_factor < spec.replication_factor {
        let what =
            format!("replication factor {}, configured is {}", found.replication_factor, spec.replication_factor);
        return Finding::warn(subject, what, "reassign its partitions with Kafka's tools");
    }
    if partitions != spec.partitions {
        let what = format!("there, {partitions} partitions; configured for new ones is {}", spec.partitions);
        return Finding::ok(subject, what);
    }
    Finding::ok(subject, format!("there, {partitions} partitions"))
}
