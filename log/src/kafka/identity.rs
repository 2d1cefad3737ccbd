//! Which topic a name stands for now. The client library knows the brokers' topic ids and shows them by its
//! administrator's call DescribeTopics alone, which the Rust binding does not wrap: so it is called here, with every
//! pointer owned by a guard that destroys it.
#![expect(unsafe_code, reason = "the one call of librdkafka that shows topic ids has no safe binding")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use super::error::kind_of;
use crate::error::LogErrorKind;
use crate::topic::{TopicId, TopicName};

/// Asks the cluster; blocks for at most about `timeout`. Topics that do not exist are left out, and those of brokers
/// that have no ids.
pub(super) fn identities<C: ClientContext>(
    client: &Client<C>,
    topics: &[TopicName],
    timeout: Duration,
) -> KafkaResult<BTreeMap<TopicName, TopicId>> {
    if topics.is_empty() {
        return Ok(BTreeMap::new());
    }
    let event = describe(client, topics, timeout)?;
    // SAFETY: the event is there, and its result and everything in it lives as long as it does.
    unsafe {
        check(sys::rd_kafka_event_error(event.pointer()))?;
        let result = sys::rd_kafka_event_DescribeTopics_result(event.pointer());
        if result.is_null() {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::BadMessage));
        }
        let mut count = 0;
        let described = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let mut identities = BTreeMap::new();
        for number in 0..count {
            identities.extend(identity(*described.add(number))?);
        }
        Ok(identities)
    }
}

/// Sends the request and waits for the event that carries its answer.
fn describe<C: ClientContext>(
    client: &Client<C>,
    topics: &[TopicName],
    timeout: Duration,
) -> KafkaResult<Owned<sys::rd_kafka_event_t>> {
    let names = topics.iter().map(|topic| CString::new(topic.as_str())).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout_ms = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    let handle = client.native_ptr();
    // SAFETY: the handle lives as long as the client that is borrowed; names and pointers outlive the calls, which copy
    // them; the queue is destroyed after the event that is polled from it was returned, which it does not own any more.
    unsafe {
        let asked = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let asked = Owned::new(asked, sys::rd_kafka_TopicCollection_destroy)?;
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = sys::rd_kafka_AdminOptions_new(handle, operation);
        let options = Owned::new(options, sys::rd_kafka_AdminOptions_destroy)?;
        let mut why = [0; 256];
        let set =
            sys::rd_kafka_AdminOptions_set_request_timeout(options.pointer(), timeout_ms, why.as_mut_ptr(), why.len());
        check(set)?;
        let queue = Owned::new(sys::rd_kafka_queue_new(handle), sys::rd_kafka_queue_destroy)?;
        sys::rd_kafka_DescribeTopics(handle, asked.pointer(), options.pointer(), queue.pointer());
        let event = sys::rd_kafka_queue_poll(queue.pointer(), timeout_ms.saturating_add(1_000));
        if event.is_null() {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut));
        }
        Owned::new(event, sys::rd_kafka_event_destroy)
    }
}

/// One topic of the answer.
///
/// # Safety
/// `described` is a description of an answer that lives.
unsafe fn identity(described: *const sys::rd_kafka_TopicDescription_t) -> KafkaResult<Option<(TopicName, TopicId)>> {
    // SAFETY: by the caller's promise; name, error and id belong to the description.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(described);
        if !error.is_null() {
            match check(sys::rd_kafka_error_code(error)) {
                Err(KafkaError::AdminOp(code)) if kind_of(code) == LogErrorKind::UnknownTopic => return Ok(None),
                outcome => outcome?,
            }
        }
        let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(described)).to_string_lossy();
        let id = sys::rd_kafka_TopicDescription_topic_id(described);
        if id.is_null() {
            return Ok(None);
        }
        let half = |bits: i64| u128::from(bits.cast_unsigned());
        let high = half(sys::rd_kafka_Uuid_most_significant_bits(id));
        let id = (high << 64) | half(sys::rd_kafka_Uuid_least_significant_bits(id));
        Ok(TopicName::new(name).ok().filter(|_| id != 0).map(|name| (name, TopicId(id))))
    }
}

fn check(code: RDKafkaRespErr) -> KafkaResult<()> {
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::AdminOp(code)),
    }
}

/// A thing of librdkafka's that is ours to destroy.
struct Owned<T> {
    pointer: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> KafkaResult<Self> {
        let pointer = NonNull::new(pointer).ok_or(KafkaError::AdminOp(RDKafkaErrorCode::CriticalSystemResource))?;
        Ok(Self { pointer, destroy })
    }

    fn pointer(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: it was given out by librdkafka for us to destroy, and nobody else does.
        unsafe { (self.destroy)(self.pointer.as_ptr()) }
    }
}
