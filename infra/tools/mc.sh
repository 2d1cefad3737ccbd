#!/bin/sh
# Prints the path of MinIO's administration client; the first time, Go builds it. MinIO's admin API is encrypted, and
# this is the client that speaks it: users of a MinIO under test, and its own replication in the benchmark.
set -eu
. "$(dirname "$0")/cache.sh"

module=github.com/minio/mc
version=v0.0.0-20250313080218-cf909e1063a9
sum=h1:6RyInOHKL6jz8zxcAar/h6rg/aJCxDP/uFuSNvYSuMI=

build() {
    echo "mc: building $version, about two minutes"
    checked_module "$module" "$version" "$sum"
    CGO_ENABLED=0 GOTOOLCHAIN=local GOBIN="$1" go install -trimpath "$module@$version"
}

once "mc-$version" mc build
