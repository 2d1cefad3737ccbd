#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn the_text_says_what_is_held_for_how_long_and_what_to_do() {
    let hold = Held {
        reason: "delete-storm".to_owned(),
        message: "1200 of 1210 changes within 10 minutes were removals by clients".to_owned(),
        held_seconds: 90,
        remedy: Reason::DeleteStorm.remedy().to_owned(),
        runbook: "docs/runbook.md#delete-storm".to_owned(),
    };
    let lost = |message: &str| Held {
        reason: "records-lost".to_owned(),
        message: message.to_owned(),
        held_seconds: 5,
        remedy: "compare".to_owned(),
        runbook: "docs/runbook.md#records-lost".to_owned(),
    };
    let sweep = Some(lost("records 3 to 9 of t/0 were deleted"));
    let bucket = |name: &str, hold: Option<Held>, sweep| Bucket {
        bucket: name.to_owned(),
        waiting: 7,
        oldest_seconds: Some(95),
        retention_used_percent: Some(if hold.is_some() { 63 } else { 12 }),
        hold,
        sweep,
    };
    let link = Link {
        link: "east>west".to_owned(),
        away: None,
        hold: None,
        buckets: vec![bucket("photos", Some(hold), None), bucket("logs", None, sweep)],
    };
    let open = |reason: &str, letters| letters::Open {
        link: "east>west".to_owned(),
        bucket: "photos".to_owned(),
        reason: reason.to_owned(),
        letters,
    };
    let site = Site {
        site: "west".to_owned(),
        dead_letters: 5,
        open_dead_letters: Some(vec![open("access-denied", 2), open("refused", 1)]),
        dirty_buckets: vec!["old".to_owned()],
        sweeps: Vec::new(),
        stuck: [("t/0 at offset 4".to_owned(), lost("broke"))].into(),
        sweep_buckets: [("logs".to_owned(), lost("notices"))].into(),
    };
    let sweep = LastSweep {
        bucket: "photos".to_owned(),
        with: "west".to_owned(),
        ended_seconds: Some(60),
        compared: 10,
        asked: 2,
        vanished: 1,
    };
    let east = Site {
        site: "east".to_owned(),
        dead_letters: 0,
        open_dead_letters: Some(Vec::new()),
        dirty_buckets: Vec::new(),
        sweeps: vec![sweep],
        stuck: BTreeMap::new(),
        sweep_buckets: BTreeMap::new(),
    };
    let status = Status { links: vec![link], sites: vec![site, east] };
    assert!(status.troubled());
    let text = text(&status);
    assert_eq!(
        text,
        "LINK       BUCKET  WAITING  OLDEST  STATE\n\
         east>west  photos  7        95 s    held: delete-storm\n\
         east>west  logs    7        95 s    runs\n\
         east>west photos: delete-storm for 90 s: 1200 of 1210 changes within 10 minutes were removals by clients\n  \
         to do: find out who removes; `twinlog bucket release` lets the removals through (docs/runbook.md#delete-storm)\n\
         east>west photos: the oldest change has used up 63 % of the topic's retention; at 100 % it is deleted unread\n  \
         to do: find out why it waits, or raise the topic's retention with Kafka's tools\n\
         east>west logs: to be swept: records-lost for 5 s: records 3 to 9 of t/0 were deleted\n  \
         to do: compare (docs/runbook.md#records-lost)\n\
         east>west photos: 2 dead letters are open: access-denied\n  \
         to do: `twinlog dlq list`, mend it, `twinlog dlq replay`\n\
         east>west photos: 1 dead letter is open: refused\n  \
         to do: `twinlog dlq list`, mend it, `twinlog dlq replay`\n\
         west: bucket old could not be captured for a while: it is swept by itself once it is mended\n\
         west: t/0 at offset 4: records-lost for 5 s: broke\n  \
         to do: compare (docs/runbook.md#records-lost)\n\
         west logs: to be swept: records-lost for 5 s: notices\n  \
         to do: compare (docs/runbook.md#records-lost)\n\
         east and west: bucket photos: swept 60 s ago: 10 versions compared, 2 asked for, 1 VANISHED: `twinlog sweep --bucket photos` lists them\n"
    );
}
