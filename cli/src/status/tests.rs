#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn the_text_says_what_is_held_for_how_long_and_what_to_do() {
    let hold = Held {
        reason: "delete-storm".to_owned(),
        message: "1200 of 1210 changes within 10 minutes were removals by clients".to_owned(),
        held_seconds: 90,
        remedy: Reason::DeleteStorm.remedy().to_owned(),
    };
    let lost = |message: &str| Held {
        reason: "records-lost".to_owned(),
        message: message.to_owned(),
        held_seconds: 5,
        remedy: "compare".to_owned(),
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
    let site = Site {
        site: "west".to_owned(),
        dead_letters: 2,
        dirty_buckets: vec!["old".to_owned()],
        stuck: [("t/0 at offset 4".to_owned(), lost("broke"))].into(),
        sweep_buckets: [("logs".to_owned(), lost("notices"))].into(),
    };
    let status = Status { links: vec![link], sites: vec![site] };
    assert!(status.troubled());
    let text = text(&status);
    assert_eq!(
        text,
        "LINK       BUCKET  WAITING  OLDEST  STATE\n\
         east>west  photos  7        95 s    held: delete-storm\n\
         east>west  logs    7        95 s    runs\n\
         east>west photos: delete-storm for 90 s: 1200 of 1210 changes within 10 minutes were removals by clients\n  \
         to do: find out who removes; `twinlog bucket release` lets the removals through\n\
         east>west photos: the oldest change has used up 63 % of the topic's retention; at 100 % it is deleted unread\n  \
         to do: find out why it waits, or raise the topic's retention with Kafka's tools\n\
         east>west logs: to be swept: records-lost for 5 s: records 3 to 9 of t/0 were deleted\n  \
         to do: compare\n\
         west: 2 dead letters are kept\n\
         west: bucket old could not be captured for a while: it has to be swept\n\
         west: t/0 at offset 4: records-lost for 5 s: broke\n  \
         to do: compare\n\
         west logs: to be swept: records-lost for 5 s: notices\n  \
         to do: compare\n"
    );
}
