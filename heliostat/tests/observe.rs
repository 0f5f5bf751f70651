//! What an operator sees of a real process: the page in a real browser, health
//! checks, the service manager, a collector, a Prometheus.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "../../crates/observe/tests/dashboard/browser.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod browser;
#[path = "process/child.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod child;
#[cfg(feature = "otlp")]
#[path = "../../crates/observe/tests/otlp/collector.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod collector;
#[path = "observe/health.rs"]
mod health;
#[path = "observe/manager.rs"]
mod manager;
#[path = "observe/page.rs"]
mod page;
#[path = "observe/prometheus.rs"]
mod prometheus;
#[path = "process/running.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod running;
#[cfg(feature = "otlp")]
#[path = "observe/telemetry.rs"]
mod telemetry;
