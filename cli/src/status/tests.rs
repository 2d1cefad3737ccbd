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
    let bucket = |name: &str, hold| Bucket { bucket: name.to_owned(), waiting: 7, oldest_seconds: Some(95), hold };
    let link = Link {
        link: "east>west".to_owned(),
        away: None,
        hold: None,
        buckets: vec![bucket("photos", Some(hold)), bucket("logs", None)],
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
         east>west photos: 2 dead letters are open: access-denied\n  \
         to do: `twinlog dlq list`, mend it, `twinlog dlq replay`\n\
         east>west photos: 1 dead letter is open: refused\n  \
         to do: `twinlog dlq list`, mend it, `twinlog dlq replay`\n\
         west: bucket old could not be captured for a while: it is swept by itself once it is mended\n\
         east and west: bucket photos: swept 60 s ago: 10 versions compared, 2 asked for, 1 VANISHED: `twinlog sweep --bucket photos` lists them\n"
    );
}
