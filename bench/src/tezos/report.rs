//! The figures as tables, each beside its bar.

use super::{
    dead::{Cost, Death},
    schedule::{Course, Reads, Row},
};

/// Against Octez cold: so many times fewer requests and bytes.
const COLD: f64 = 5.0;
/// Against Octez warm: so many times fewer requests, per node.
const WARM_REQUESTS: f64 = 0.9;
/// Against Octez warm: so many times fewer bytes.
const WARM_BYTES: f64 = 2.5;
/// A warm read takes at most so many round trips.
const WARM_READ: f64 = 1.2;
/// A read beside a dead endpoint takes at most so many.
const DEAD_READ: f64 = 1.5;

/// Prints the comparison.
pub fn rows(rows: &[Row]) {
    traffic(rows);
    ratios(rows);
    times(rows);
}

fn cell(reads: &Reads) -> String {
    let bytes = reads.traffic.bytes as f64 / 1e3;
    format!("{} / {bytes:.0}", reads.traffic.requests)
}

fn traffic(rows: &[Row]) {
    println!("Requests / kB, first at one block, then at the next:\n");
    println!(
        "| latency ms | n | Octez cold | Octez warm | Octez warm, binary | Heliostat | next: Octez warm | next: binary | next: Heliostat |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.latency_ms,
            row.count,
            cell(&row.cold),
            cell(&row.warm.block),
            cell(&row.binary.block),
            cell(&row.ours.block),
            cell(&row.warm.next),
            cell(&row.binary.next),
            cell(&row.ours.next),
        );
    }
    println!();
}

/// How many times fewer requests and bytes.
fn fewer(theirs: &Reads, ours: &Reads) -> (f64, f64) {
    let (theirs, ours) = (theirs.traffic, ours.traffic);
    (
        theirs.requests as f64 / ours.requests as f64,
        theirs.bytes as f64 / ours.bytes as f64,
    )
}

fn met(is_met: bool) -> &'static str {
    if is_met { "yes" } else { "**no**" }
}

fn ratios(rows: &[Row]) {
    println!("Times fewer requests / bytes than Octez:\n");
    println!(
        "| latency ms | n | cold (bar {COLD}) | warm (bar {WARM_REQUESTS}·n / {WARM_BYTES}) | met | warm, binary | next: warm | next: binary |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let show = |(requests, bytes): (f64, f64)| format!("{requests:.1} / {bytes:.1}");
    for row in rows {
        let cold = fewer(&row.cold, &row.ours.block);
        let of = |theirs: &Course| {
            let block = fewer(&theirs.block, &row.ours.block);
            (block, fewer(&theirs.next, &row.ours.next))
        };
        let (warm, warm_next) = of(&row.warm);
        let (binary, binary_next) = of(&row.binary);
        let is_met = cold.0 >= COLD
            && cold.1 >= COLD
            && warm.0 >= WARM_REQUESTS * row.count as f64
            && warm.1 >= WARM_BYTES;
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            row.latency_ms,
            row.count,
            show(cold),
            show(warm),
            met(is_met),
            show(binary),
            show(warm_next),
            show(binary_next),
        );
    }
    println!();
}

fn times(rows: &[Row]) {
    println!("Milliseconds of one balance, and of the next block's 200 reads:\n");
    println!(
        "| latency ms | n | round trip | Octez cold p50 | Octez warm p50 | Heliostat p50 | round trips (bar {WARM_READ}) | met | Heliostat's first read | next: Octez total | next: Heliostat total | load |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let trips = row.ours.block.p50_ms / row.round_trip_ms;
        println!(
            "| {} | {} | {:.2} | {:.1} | {:.1} | {:.2} | {trips:.2} | {} | {:.1} | {:.0} | {:.0} | {:.2} |",
            row.latency_ms,
            row.count,
            row.round_trip_ms,
            row.cold.p50_ms,
            row.warm.block.p50_ms,
            row.ours.block.p50_ms,
            verdict(row.latency_ms, trips <= WARM_READ),
            row.ours.block.first_ms,
            row.warm.next.total_ms,
            row.ours.next.total_ms,
            row.load,
        );
    }
    println!();
}

/// Without a latency there is no bar.
fn verdict(latency_ms: u64, is_met: bool) -> &'static str {
    match latency_ms {
        0 => "",
        _ => met(is_met),
    }
}

/// Prints what a dead endpoint costs.
pub fn costs(costs: &[Cost]) {
    println!("Milliseconds of one balance beside a dead endpoint:\n");
    println!(
        "| latency ms | n | it | round trip | until noticed | p50 after | most after | round trips, p50 / most (bar {DEAD_READ}) | met | first read, next block | load |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for cost in costs {
        let (p50, most) = (
            cost.p50_ms / cost.round_trip_ms,
            cost.most_ms / cost.round_trip_ms,
        );
        println!(
            "| {} | {} | {} | {:.2} | {:.1} | {:.2} | {:.1} | {p50:.2} / {most:.2} | {} | {:.1} | {:.2} |",
            cost.latency_ms,
            cost.count,
            match cost.death {
                Death::Refused => "refuses",
                Death::Silent => "is silent",
            },
            cost.round_trip_ms,
            cost.noticing_ms,
            cost.p50_ms,
            cost.most_ms,
            verdict(cost.latency_ms, p50 <= DEAD_READ),
            cost.next_ms,
            cost.load,
        );
    }
    println!();
}
