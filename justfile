# Every task of the project. Run them with ./justw, which brings `just` along.

set shell := ["bash", "-euo", "pipefail", "-c"]

# It may be in the cache only, not on PATH.
just := quote(just_executable())
# Said to cargo, so that no other configuration of its own is at odds with where binaries are looked for.
export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", justfile_directory() / "target")
release := quote(CARGO_TARGET_DIR / "release")

# End-to-end tests wait more than they compute: more of them at a time than there are cores.
export RUST_TEST_THREADS := env("RUST_TEST_THREADS", "7")

# Lists the tasks.
default:
    @{{ just }} --list

# Format, lints, documentation, then every test: unit, properties, and end to end on real Kafka and real stores.
test: lint tools
    @# What a failing test says of itself is read, not its stack.
    RUST_BACKTRACE=0 cargo test --workspace --locked
    @{{ just }} deny-if-present
    @{{ just }} stores

# What continuous integration runs.
ci: test

# The main job, live: two sites, writes at both, an outage, and a comparison version by version. About two minutes.
demo *ARGS: tools release
    {{ release }}/demo {{ ARGS }}

# Starts two sites with Twinlog beside each and leaves them running: --store minio|rustfs, --bucket NAME.
up *ARGS: tools release
    {{ release }}/up {{ ARGS }}

# Ends what `up` started.
down:
    @[ -x {{ release }}/down ] || [ ! -e .twinlog ] || cargo build --release --quiet -p twinlog-tests --bin down
    @if [ -x {{ release }}/down ]; then {{ release }}/down; else echo "nothing is up: there is no .twinlog"; fi

# Lag and rate, beside the stores' own replication in the same run.
bench *ARGS: tools release
    {{ release }}/bench {{ ARGS }}

# The simulation, for as many seeds as wanted: --seeds N, --from K, --profile P, --seed S, --planted FAULT.
simulate *ARGS:
    cargo run --release --quiet -p twinlog-tests --bin simulate -- {{ ARGS }}

# Hours of random work at both sites with restarts, verified after each round: --minutes N, --seed S, --store minio|rustfs.
soak *ARGS: tools release
    {{ release }}/soak {{ ARGS }}

# Random faults of every kind at once, at the wire, of processes and of servers: --minutes N, --seed S, --store minio|rustfs.
chaos *ARGS: tools release
    {{ release }}/soak --chaos {{ ARGS }}

# Formats everything.
fmt:
    cargo fmt --all

# Format, clippy with warnings denied, documentation without a warning.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

# Licences, advisories, sources and duplicates of the dependencies; needs cargo-deny.
deny:
    cargo deny --locked check

# A TWINLOG_RUSTFS that names nothing is a mistake, not an absent store, and ends the run.

# Fetches or builds the servers that tests need, once: Kafka, MinIO and its client, Alertmanager.
tools:
    @[ -z "${TWINLOG_RUSTFS:-}" ] || infra/tools/rustfs.sh --find >/dev/null
    infra/tools/kafka.sh >/dev/null
    infra/tools/minio.sh >/dev/null
    infra/tools/mc.sh >/dev/null
    infra/tools/alertmanager.sh >/dev/null

# Builds RustFS into the cache, where there is none: about an hour, needs protoc.
rustfs:
    infra/tools/rustfs.sh

[private]
release:
    cargo build --release -p twinlog -p twinlog-tests

[private]
deny-if-present:
    @if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check bans licenses sources; else echo "cargo-deny is not installed: licences were not checked"; fi

# The last line of a test run.
[private]
@stores:
    if infra/tools/rustfs.sh --find >/dev/null; then echo "end-to-end and conformance tests ran on: RustFS, MinIO"; else echo "end-to-end and conformance tests ran on: MinIO. RustFS was not found: set TWINLOG_RUSTFS or run ./justw rustfs"; fi
