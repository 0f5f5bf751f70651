//! Prints `docs/metrics.md`.

fn main() {
    print!("{}", heliostat_observe::metrics::document());
}
