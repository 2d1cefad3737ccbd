#!/bin/sh
# Prints the folder of the jars of Kafka 4.1.0; the first time, Maven fetches them and each is checked against
# infra/kafka/jars.sha256.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"

fetch() {
    echo "kafka: fetching 4.1.0 (43 MB)"
    mvn -B -q -Dstyle.color=never -f "$here/../kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1/libs"
    (
        cd "$1/libs"
        sha256sum --quiet --strict -c "$here/../kafka/jars.sha256"
        wanted=$(wc -l <"$here/../kafka/jars.sha256") found=$(ls | wc -l)
        [ "$wanted" -eq "$found" ] || { echo "kafka: $found jars came, $wanted are pinned"; exit 1; }
    )
}

once kafka-4.1.0 libs fetch
