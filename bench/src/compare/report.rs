//! The comparison as tables.

use crate::{compare::Row, load, servers::Sync, unary};

/// Prints every row, then how heliostat does against the baseline.
pub fn print(rows: &[Row]) {
    servers(rows);
    ranges(rows);
    calls(rows);
    digests(rows);
    let of = |name| rows.iter().find(|row| row.server == name);
    if let (Some(ours), Some(baseline)) = (of("heliostat"), of("baseline")) {
        ratios(ours, baseline);
    }
}

fn servers(rows: &[Row]) {
    println!("| server | sync blocks/s | sync CPU-s | new block ms | peak MiB | load |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        let sync = |value: fn(&Sync) -> f64| {
            let sync = row.sync.as_ref();
            sync.map_or("".into(), |sync| format!("{:.1}", value(sync)))
        };
        println!(
            "| {} | {} | {} | {} | {:.0} | {:.2} |",
            row.server,
            sync(|sync| sync.blocks_per_second),
            sync(|sync| sync.cpu_seconds),
            row.new_block_ms.map_or("".into(), |ms| format!("{ms:.1}")),
            row.peak_memory_mib,
            row.load_average
        );
    }
    println!();
}

fn ranges(rows: &[Row]) {
    println!(
        "| server | GetBlockRange | blocks/s | bytes/block | MB/s | server CPU µs/block | request p50 / p99 ms | load |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        for (label, report) in &row.ranges {
            println!(
                "| {} | {label} | {:.0} | {:.0} | {:.0} | {:.3} | {:.2} / {:.2} | {:.2} |",
                row.server,
                report.blocks_per_second,
                report.bytes_per_block,
                report.megabytes_per_second,
                report.server_cpu_us_per_block.unwrap_or(f64::NAN),
                report.request_p50_ms,
                report.request_p99_ms,
                report.load_average
            );
        }
    }
    println!();
}

fn calls(rows: &[Row]) {
    println!("| server | call | callers | p50 ms | p99 ms | calls/s | server CPU µs/call | load |");
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        for call in &row.unary {
            println!(
                "| {} | {} | {} | {:.2} | {:.2} | {:.0} | {:.0} | {:.2} |",
                row.server,
                call.method,
                call.callers,
                call.p50_ms,
                call.p99_ms,
                call.calls_per_second,
                call.server_cpu_us_per_call.unwrap_or(f64::NAN),
                call.load_average
            );
        }
    }
    println!();
}

/// One line per series: who sent the same bytes as the first server.
fn digests(rows: &[Row]) {
    let Some(first) = rows.first() else {
        return;
    };
    println!(
        "| CRC-32 of all messages | {} | the same from |",
        first.server
    );
    println!("|---|---|---|");
    for (label, crc) in &first.digests {
        let same: Vec<_> = rows[1..]
            .iter()
            .filter(|row| row.digests.iter().any(|(l, c)| (l, c) == (label, crc)))
            .map(|row| row.server.as_str())
            .collect();
        println!("| {label} | {crc:08x} | {} |", same.join(", "));
    }
    println!();
}

fn ratios(ours: &Row, baseline: &Row) {
    println!("| heliostat against the baseline | times the rate | times less CPU |");
    println!("|---|---|---|");
    let quotient = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) if b > 0.0 => format!("{:.1}", a / b),
        // Less than a clock tick.
        (Some(_), Some(_)) => "too little to tell".to_owned(),
        _ => "unknown".to_owned(),
    };
    for (label, our) in &ours.ranges {
        let same = |(other, _): &&(String, load::Report)| other == label;
        if let Some((_, their)) = baseline.ranges.iter().find(same) {
            println!(
                "| {label} | {:.1} | {} |",
                our.blocks_per_second / their.blocks_per_second,
                quotient(their.server_cpu_us_per_block, our.server_cpu_us_per_block)
            );
        }
    }
    for our in &ours.unary {
        let same =
            |other: &&unary::Report| (&other.method, other.callers) == (&our.method, our.callers);
        if let Some(their) = baseline.unary.iter().find(same) {
            println!(
                "| {}, callers: {} | {:.1} | {} |",
                our.method,
                our.callers,
                our.calls_per_second / their.calls_per_second,
                quotient(their.server_cpu_us_per_call, our.server_cpu_us_per_call)
            );
        }
    }
}
