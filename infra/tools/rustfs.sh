#!/bin/sh
# Prints the path of RustFS 1.0.1, building it into the cache where it is in none of the three places that are looked
# at: $TWINLOG_RUSTFS, PATH, the cache. About an hour on two cores; the last crate alone takes 10 GB of memory.
#   --find    only look: print nothing and fail where there is none
set -eu
. "$(dirname "$0")/cache.sh"

version=1.0.1

if [ -n "${TWINLOG_RUSTFS:-}" ]; then
    if [ ! -x "$TWINLOG_RUSTFS" ]; then
        echo "rustfs: TWINLOG_RUSTFS names $TWINLOG_RUSTFS, which is not a program" >&2
        exit 1
    fi
    echo "$TWINLOG_RUSTFS"
    exit 0
fi
if command -v rustfs 2>/dev/null; then
    exit 0
fi
if [ "${1:-}" = --find ] && [ ! -x "$TWINLOG_CACHE/rustfs-$version/rustfs" ]; then
    exit 1
fi

build() {
    if ! command -v protoc >/dev/null; then
        echo "rustfs: the build needs protoc: apt-get install protobuf-compiler"
        return 1
    fi
    echo "rustfs: building $version, about an hour"
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2 \
        CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_TARGET_DIR="$1/target" \
        cargo install rustfs --version "$version" --locked --ignore-rust-version --no-default-features \
        --no-track --root "$1"
    mv "$1/bin/rustfs" "$1/rustfs"
    rm -rf "$1/target" "$1/bin"
}

once "rustfs-$version" rustfs build
