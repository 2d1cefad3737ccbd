#!/bin/sh
# Prints the path of the MinIO server (February 2026); the first time, Go builds it (about three minutes).
set -eu
. "$(dirname "$0")/cache.sh"

module=github.com/minio/minio
version=v0.0.0-20260212201848-7aac2a2c5b7c
sum=h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA=

build() {
    echo "minio: building $version, about three minutes"
    checked_module "$module" "$version" "$sum"
    CGO_ENABLED=0 GOTOOLCHAIN=local GOBIN="$1" go install -trimpath "$module@$version"
}

once "minio-$version" minio build
