//! The store's clock, as its answers tell it.
//!
//! Every answer has a `Date` of whole seconds. With the moments at which the request was sent and answered it bounds
//! the offset between the two clocks; the estimate moves only as far as the bounds force it, so it settles well below
//! a second and follows a clock that is set anew. Requests are signed with the store's time, because the store judges
//! by its own clock when a signed write has expired.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::Format;

/// This process's clock, injected.
pub type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Tells the store's time.
#[derive(Clone)]
pub(super) struct StoreClock {
    ours: WallClock,
    /// The store's clock minus ours, milliseconds; moved by each answer that contradicts it.
    offset_ms: Arc<AtomicI64>,
}

impl StoreClock {
    pub(super) fn new(ours: WallClock) -> Self {
        Self { ours, offset_ms: Arc::default() }
    }

    /// The store's clock minus ours, milliseconds; 0 before the first answer.
    pub(super) fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    fn learn(&self, sent_ms: i64, received_ms: i64, date_ms: i64) {
        let learned = bounded(self.offset_ms(), sent_ms, received_ms, date_ms);
        self.offset_ms.store(learned, Ordering::Relaxed);
    }
}

/// The offset nearest to `offset_ms` that an answer dated `date_ms` (whole seconds, truncated) allows.
fn bounded(offset_ms: i64, sent_ms: i64, received_ms: i64, date_ms: i64) -> i64 {
    let least = date_ms - received_ms;
    let most = date_ms + 999 - sent_ms;
    // A clock of ours that was set back between the two readings leaves no bounds worth the name.
    if least > most { offset_ms } else { offset_ms.clamp(least, most) }
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl TimeSource for StoreClock {
    fn now(&self) -> SystemTime {
        let ours = (self.ours)();
        let offset_ms = self.offset_ms();
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        let shifted = if offset_ms < 0 { ours.checked_sub(offset) } else { ours.checked_add(offset) };
        shifted.unwrap_or(ours)
    }
}

impl fmt::Debug for StoreClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreClock({} ms)", self.offset_ms())
    }
}

/// When the request of this attempt went out, by our clock.
#[derive(Debug)]
struct SentAt(i64);

impl Storable for SentAt {
    type Storer = StoreReplace<Self>;
}

impl Intercept for StoreClock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(SentAt(unix_ms((self.ours)())));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date =
            context.response().headers().get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let (Some(date), Some(SentAt(sent_ms))) = (date, bag.load::<SentAt>()) {
            self.learn(*sent_ms, unix_ms((self.ours)()), date.secs().saturating_mul(1000));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agreeing_answers_change_nothing() {
        assert_eq!(bounded(0, 10_200, 10_210, 10_000), 0);
    }

    #[test]
    fn a_late_clock_is_seen() {
        assert_eq!(bounded(0, 10_200, 10_210, 5_000), 5_999 - 10_200);
    }

    proptest! {
        /// Whatever the true offset, no estimate is ever further from it than the one before, and it ends within a second.
        #[test]
        fn estimates_only_improve(truth in -100_000i64..100_000, requests in proptest::collection::vec((0i64..5_000, 0i64..300), 1..40)) {
            let (mut now, mut estimate) = (1_000_000i64, 0i64);
            for (pause, flight) in requests {
                now += pause;
                let date = (now + flight / 2 + truth).div_euclid(1000) * 1000;
                let next = bounded(estimate, now, now + flight, date);
                prop_assert!((next - truth).abs() <= (estimate - truth).abs());
                estimate = next;
                now += flight;
            }
            prop_assert!((estimate - truth).abs() <= 1_300);
        }
    }
}
