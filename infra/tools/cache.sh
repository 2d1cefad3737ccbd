# Sourced by the scripts beside it: the folder where fetched and built programs are kept, and the one way in.
#
# Each program has a folder named after it and its version. It appears whole or not at all (made in a folder beside it,
# then renamed), and two runs that want the same one at the same time make it once.

TWINLOG_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/twinlog

# once NAME FILE COMMAND [ARG]...
# Prints the path of FILE in the cached folder NAME. Where it is absent, "COMMAND ARG... FOLDER" fills a new one first;
# what the command prints goes to standard error.
once() {
    name=$1 file=$2
    shift 2
    if [ ! -e "$TWINLOG_CACHE/$name/$file" ]; then
        mkdir -p "$TWINLOG_CACHE"
        exec 9>"$TWINLOG_CACHE/.$name.lock"
        flock 9
        # Whoever held the lock before may have made it; what a killed run left is swept under the lock.
        rm -rf "$TWINLOG_CACHE/.$name".new.*
        if [ ! -e "$TWINLOG_CACHE/$name/$file" ]; then
            new=$(mktemp -d "$TWINLOG_CACHE/.$name.new.XXXXXX")
            "$@" "$new" >&2 9>&-
            if [ ! -e "$new/$file" ]; then
                echo "$name: made, but without $file" >&2
                return 1
            fi
            chmod 755 "$new"
            rm -rf "${TWINLOG_CACHE:?}/$name"
            mv "$new" "$TWINLOG_CACHE/$name"
        fi
        exec 9>&-
    fi
    echo "$TWINLOG_CACHE/$name/$file"
}

# checked_module MODULE VERSION SUM: fetches a Go module and compares it with its pinned h1 sum.
# What the module itself depends on is checked by Go against its checksum database.
checked_module() {
    if ! told=$(GOTOOLCHAIN=local go mod download -json "$1@$2"); then
        echo "$1@$2 could not be fetched: $told" >&2
        return 1
    fi
    found=$(echo "$told" | sed -n 's/^[[:space:]]*"Sum": "\(.*\)",*$/\1/p')
    if [ "$found" != "$3" ]; then
        echo "$1@$2 has the sum ${found:-(none)}, not the pinned $3" >&2
        return 1
    fi
}
