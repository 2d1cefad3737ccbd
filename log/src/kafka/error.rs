//! One table from Kafka's error codes to the few kinds that decide what happens next.

use std::fmt::Display;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::context::Told;
use crate::error::{LogError, LogErrorKind as Kind};

/// What a code means for the caller.
pub(super) fn kind_of(code: Code) -> Kind {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId => {
            Kind::UnknownTopic
        }
        Code::TopicAlreadyExists => Kind::TopicExists,
        Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation => Kind::OffsetOutOfRange,
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => Kind::TooLarge,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::SSL
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::SecurityDisabled => Kind::Refused,
        Code::Fatal
        | Code::InvalidTopic
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidReplicaAssignment
        | Code::InvalidConfig
        | Code::InvalidRequest
        | Code::InvalidRequiredAcks
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidGroupId
        | Code::InvalidSessionTimeout
        | Code::InvalidCommitOffsetSize
        | Code::OffsetMetadataTooLarge
        | Code::InconsistentGroupProtocol
        | Code::PolicyViolation
        | Code::UnsupportedVersion
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedCompressionType
        | Code::InvalidArgument
        | Code::UnknownProtocol
        | Code::NotImplemented
        | Code::UnsupportedFeature
        | Code::Conflict
        | Code::Fenced
        | Code::InvalidProducerEpoch
        | Code::ProducerFenced => Kind::Fatal,
        // Everything else is the cluster being away, moving, electing or slow.
        _ => Kind::Transient,
    }
}

/// An error of the client as one of the log.
pub(super) fn log_error(operation: &'static str, subject: impl Display, error: &KafkaError) -> LogError {
    let kind = match error {
        // Made from settings or from arguments, before any broker was asked.
        KafkaError::ClientConfig(..)
        | KafkaError::ClientCreation(_)
        | KafkaError::AdminOpCreation(_)
        | KafkaError::Nul(_)
        | KafkaError::Subscription(_) => Kind::Fatal,
        KafkaError::MessageConsumptionFatal(_) => Kind::Fatal,
        // Left out of `rdkafka_error_code`.
        KafkaError::AdminOp(code) => kind_of(*code),
        other => other.rdkafka_error_code().map_or(Kind::Transient, kind_of),
    };
    LogError::new(operation, subject, kind, describe(error))
}

/// The same, with what the client has told about its brokers where the error itself is only that nobody answered.
pub(super) fn log_error_told(
    operation: &'static str,
    subject: impl Display,
    error: &KafkaError,
    told: &Told,
) -> LogError {
    let mut shown = log_error(operation, subject, error);
    if shown.kind == Kind::Transient
        && let Some((code, reason)) = told.last()
    {
        shown.message = format!("{}: {reason}", shown.message);
        if kind_of(code) == Kind::Refused {
            shown.kind = Kind::Refused;
        }
    }
    shown
}

/// Setting errors without the setting's value, which may be a secret.
fn describe(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, what, name, _) => format!("setting {name}: {what}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::types::RDKafkaConfRes;

    #[test]
    fn the_table() {
        for (code, kind) in [
            (Code::BrokerTransportFailure, Kind::Transient),
            (Code::MessageTimedOut, Kind::Transient),
            (Code::NotEnoughReplicas, Kind::Transient),
            (Code::NotLeaderForPartition, Kind::Transient),
            (Code::CoordinatorLoadInProgress, Kind::Transient),
            (Code::UnknownTopicOrPartition, Kind::UnknownTopic),
            (Code::UnknownPartition, Kind::UnknownTopic),
            (Code::TopicAlreadyExists, Kind::TopicExists),
            (Code::AutoOffsetReset, Kind::OffsetOutOfRange),
            (Code::MessageSizeTooLarge, Kind::TooLarge),
            (Code::TopicAuthorizationFailed, Kind::Refused),
            (Code::SaslAuthenticationFailed, Kind::Refused),
            (Code::OffsetMetadataTooLarge, Kind::Fatal),
        ] {
            assert_eq!(kind_of(code), kind, "{code:?}");
        }
    }

    #[test]
    fn an_administrators_error_has_its_codes_kind() {
        let error = log_error("create topic", "t", &KafkaError::AdminOp(Code::TopicAlreadyExists));
        assert_eq!(error.kind, Kind::TopicExists);
    }

    #[test]
    fn a_settings_value_is_never_shown() {
        let error = KafkaError::ClientConfig(
            RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "invalid value".to_owned(),
            "sasl.password".to_owned(),
            "s3cr3t".to_owned(),
        );
        let shown = log_error("connect to", "127.0.0.1:9092", &error);
        assert_eq!(shown.kind, Kind::Fatal);
        assert_eq!(shown.to_string(), "connect to 127.0.0.1:9092: setting sasl.password: invalid value");
    }
}
