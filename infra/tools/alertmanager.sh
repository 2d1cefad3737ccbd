#!/bin/sh
# Prints the path of Prometheus' Alertmanager, which the notifier's test tells of alerts; the first time, Go builds it.
# This version is the last whose module brings its pages along built; newer ones do not compile from the module alone.
set -eu
. "$(dirname "$0")/cache.sh"

module=github.com/prometheus/alertmanager
version=v0.28.1
sum=h1:BK5pCoAtaKg01BYRUJhEDV1tqJMEtYBGzPw8QdvnnvA=

build() {
    echo "alertmanager: building $version, about two minutes"
    checked_module "$module" "$version" "$sum"
    CGO_ENABLED=0 GOTOOLCHAIN=local GOBIN="$1" go install -trimpath "$module/cmd/alertmanager@$version"
}

once "alertmanager-$version" alertmanager build
