//! The dashboard: as events over HTTP, and as a page in a real browser.

#[path = "dashboard/browser.rs"]
mod browser;
#[path = "dashboard/events.rs"]
mod events;
#[path = "dashboard/page.rs"]
mod page;
#[path = "dashboard/stage.rs"]
mod stage;
