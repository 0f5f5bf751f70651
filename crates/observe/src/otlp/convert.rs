//! Scraped metrics as OTLP's messages.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point::Value,
    },
    resource::v1::Resource,
};

use crate::metrics::samples::{Read, ReadRow};

/// The label that says which bucket a row is.
const BUCKET: &str = "le";

/// What holds for all metrics of one push.
pub(super) struct Frame<'a> {
    pub service: &'a str,
    pub version: &'a str,
    /// When the process started, in nanoseconds since the Unix epoch.
    pub started: u64,
    /// Now, likewise.
    pub now: u64,
}

/// One push of everything.
pub(super) fn request(all: &[Read], frame: &Frame<'_>) -> ExportMetricsServiceRequest {
    let attributes = [
        ("service.name", frame.service),
        ("service.version", frame.version),
    ];
    let scope = InstrumentationScope {
        name: frame.service.to_owned(),
        version: frame.version.to_owned(),
        ..InstrumentationScope::default()
    };
    let metrics = all.iter().map(|metric| Metric {
        name: metric.name.clone(),
        description: metric.help.clone(),
        data: Some(data(metric, frame)),
        ..Metric::default()
    });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes.map(|(key, value)| pair(key, value)).into(),
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics: metrics.collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn data(metric: &Read, frame: &Frame<'_>) -> Data {
    let cumulative = AggregationTemporality::Cumulative.into();
    match metric.kind.as_str() {
        "counter" => Data::Sum(Sum {
            data_points: numbers(metric, frame),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        "histogram" => Data::Histogram(Histogram {
            data_points: distributions(metric, frame),
            aggregation_temporality: cumulative,
        }),
        _ => Data::Gauge(Gauge {
            data_points: numbers(metric, frame),
        }),
    }
}

fn numbers(metric: &Read, frame: &Frame<'_>) -> Vec<NumberDataPoint> {
    let point = |row: &ReadRow| NumberDataPoint {
        attributes: attributes(row),
        start_time_unix_nano: frame.started,
        time_unix_nano: frame.now,
        value: Some(Value::AsDouble(row.value)),
        ..NumberDataPoint::default()
    };
    metric.rows.iter().map(point).collect()
}

/// One point for the rows with the same labels. Prometheus counts what is at
/// or below an edge, OTLP what is between two; the last edge, infinity, is
/// not written there.
fn distributions(metric: &Read, frame: &Frame<'_>) -> Vec<HistogramDataPoint> {
    let mut points: Vec<HistogramDataPoint> = Vec::new();
    for row in &metric.rows {
        let attributes = attributes(row);
        if points
            .last()
            .is_none_or(|last| last.attributes != attributes)
        {
            points.push(HistogramDataPoint {
                attributes,
                start_time_unix_nano: frame.started,
                time_unix_nano: frame.now,
                ..HistogramDataPoint::default()
            });
        }
        let Some(point) = points.last_mut() else {
            continue;
        };
        match row.suffix.as_str() {
            "_sum" => point.sum = Some(row.value),
            "_count" => point.count = row.value as u64,
            "_bucket" => {
                let before: u64 = point.bucket_counts.iter().sum();
                point
                    .bucket_counts
                    .push((row.value as u64).saturating_sub(before));
                let edge = row.labels.iter().find(|(name, _)| name == BUCKET);
                let edge = edge.and_then(|(_, edge)| edge.parse::<f64>().ok());
                point
                    .explicit_bounds
                    .extend(edge.filter(|edge| edge.is_finite()));
            }
            _ => {}
        }
    }
    points
}

fn attributes(row: &ReadRow) -> Vec<KeyValue> {
    let labels = row.labels.iter().filter(|(name, _)| name != BUCKET);
    labels.map(|(name, value)| pair(name, value)).collect()
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}
