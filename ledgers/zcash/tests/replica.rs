//! The replica and the range calls through their public surface: against a
//! naive model, on every engine, over real gRPC, and with real blocks.

#[path = "replica/audit.rs"]
mod audit;
#[path = "replica/blocks.rs"]
mod blocks;
#[path = "replica/counting.rs"]
mod counting;
#[path = "replica/model.rs"]
mod model;
#[path = "replica/race.rs"]
mod race;
#[path = "replica/range.rs"]
mod range;
#[path = "replica/storage.rs"]
mod storage;
#[path = "replica/verified.rs"]
mod verified;
