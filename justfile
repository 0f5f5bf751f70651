# `just` lists these. Each is one plain command; none is needed to build.

# what it does, on an embedded default
demo:
    cargo run --release -- demo

# every test
test:
    cargo test --workspace

# what CI runs
ci:
    .ci/run

# formatting and lints
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# licences, sources and the one TLS provider (needs cargo-deny)
deny:
    cargo deny check

# the suite against a real zebrad: HELIOSTAT_ZEBRAD=/path/to/zebrad just interop
interop:
    cargo test --release -p heliostat --test interop -- --nocapture

# a real wallet over a real zebrad: HELIOSTAT_ZEBRAD and HELIOSTAT_ZINGO_CLI name them
wallet:
    cargo test --release -p heliostat --test wallet_cli -- --nocapture

# every answer beside lightwalletd's over one node: HELIOSTAT_LIGHTWALLETD names it
compare-api:
    cargo test -p heliostat-zcash --test api_lightwalletd -- --nocapture

# pytezos and taquito over simulated Tezos nodes (the test's first comment says how to install them)
tezos-clients:
    cargo test -p heliostat --test tezos_clients -- --nocapture

# Tezos finality against a real block's signatures: HELIOSTAT_TEZOS_CAPTURE names the capture
tezos-capture:
    cargo test -p heliostat-tezos-verifier --test capture -- --nocapture

# Zcash's difficulty rule on real mainnet headers: HELIOSTAT_ZCASH_HEADERS names them
zcash-headers:
    cargo test -p heliostat-zcash-verifier mainnet -- --nocapture

# kill -9, 200 times for each ledger and store
crash rounds="200":
    HELIOSTAT_CRASH_ROUNDS={{rounds}} cargo test --release -p heliostat --test crash --test tezos_crash -- --nocapture

# hostile upstreams and clients, half an hour
soak minutes="30":
    HELIOSTAT_SOAK_MINUTES={{minutes}} cargo test --release -p heliostat --test soak half_an_hour -- --nocapture

# generated documentation
docs:
    cargo run -q -- docs-config > docs/configuration.md
    cargo run -q -- docs-config --example > heliostat.example.toml
    cargo run -q -- docs-zcash-methods > docs/zcash-methods.md
    cargo run -q -- docs-tezos-methods > docs/tezos-methods.md
    cargo run -q -p heliostat-observe --example metrics > docs/metrics.md

# figures of this machine: HELIOSTAT_LIGHTWALLETD adds a peer
bench:
    cargo build --release -p heliostat -p bench
    cargo run --release -p bench -- compare

# scanner against zebra-chain
bench-scan:
    cargo bench -p heliostat-zcash-verifier
