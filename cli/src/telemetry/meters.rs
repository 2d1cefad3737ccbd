//! The meter and its export: one registry, rendered in Prometheus' text form.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider, UpDownCounter};
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use prometheus::{Encoder, Registry, TextEncoder};

use super::names::{self, Name};
use crate::build;
use crate::exit::Failure;

/// Series of one metric with buckets; beyond it they would silently become one. Ten thousand buckets of several outcomes
/// fit. The metric takes this room from the start and touches a byte of each place of it, so others have less.
const MANY_SERIES: usize = 50_000;
/// Series of one metric without buckets.
const SERIES: usize = 1_000;
/// The scope of the meter for metrics with buckets, by which they are told apart; it is not exported.
const MANY: &str = "twinlog.many";

/// The process's metrics. Cheap to clone; the export ends with the last clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
    meter: Meter,
    many: Meter,
}

impl Metrics {
    /// Starts the meter, and tells the build.
    pub fn start() -> Result<Self, Failure> {
        let registry = Registry::new();
        // Names are given as they are exported, so that the one module that has them can be searched.
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_counter_suffixes()
            .without_units()
            .without_target_info()
            .scope_info_enabled(false)
            .build()
            .map_err(|error| Failure::internal(format!("metrics cannot be started: {error}")))?;
        let room = |instrument: &Instrument| {
            let series = if instrument.scope().name() == MANY { MANY_SERIES } else { SERIES };
            Stream::builder().with_cardinality_limit(series).build().ok()
        };
        let provider = SdkMeterProvider::builder().with_reader(exporter).with_view(room).build();
        let metrics = Self { registry, meter: provider.meter("twinlog"), many: provider.meter(MANY), provider };
        let info = [(names::VERSION, build::VERSION), (names::COMMIT, build::COMMIT), (names::PROFILE, build::PROFILE)];
        metrics.gauge(names::BUILD_INFO).record(1.0, &info.map(|(label, value)| KeyValue::new(label, value)));
        Ok(metrics)
    }

    fn meter(&self, name: Name) -> &Meter {
        if name.many { &self.many } else { &self.meter }
    }

    /// A counter of whole things.
    pub fn counter(&self, name: Name) -> Counter<u64> {
        self.meter(name).u64_counter(name.name).with_description(name.help).build()
    }

    /// A counter of fractions, e.g. seconds.
    pub fn counter_of_seconds(&self, name: Name) -> Counter<f64> {
        self.meter(name).f64_counter(name.name).with_description(name.help).build()
    }

    /// A gauge.
    pub fn gauge(&self, name: Name) -> Gauge<f64> {
        self.meter(name).f64_gauge(name.name).with_description(name.help).build()
    }

    /// A gauge that is told by how much it changes.
    pub fn level(&self, name: Name) -> UpDownCounter<i64> {
        self.meter(name).i64_up_down_counter(name.name).with_description(name.help).build()
    }

    /// A histogram of seconds.
    pub fn seconds(&self, name: Name) -> Histogram<f64> {
        let builder = self.meter(name).f64_histogram(name.name).with_description(name.help);
        builder.with_boundaries(names::SECONDS.to_vec()).build()
    }

    /// Everything, in Prometheus' text form.
    pub fn render(&self) -> Result<String, Failure> {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        encoded.map_err(|error| Failure::internal(format!("metrics cannot be rendered: {error}")))?;
        String::from_utf8(text).map_err(|error| Failure::internal(error.to_string()))
    }

    /// Ends the export.
    pub fn stop(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!(%error, "metrics were stopped already");
        }
    }
}
