#!/bin/sh
# Put the data of Redis aside, so that Redis starts empty. Redis must not be running. Nothing is deleted:
# the data is moved to appendonlydir.before.<time>. A restore from the archive needs an empty Redis
# (docs/operations/archive.md).
set -eu
: "${DATA_FOLDER:=/data}"
exec 9>"$DATA_FOLDER/in-use"
flock -n 9 || { echo "nothing was moved: a Redis uses $DATA_FOLDER. Stop it first." >&2; exit 1; }
[ -e "$DATA_FOLDER/appendonlydir" ] || { echo "$DATA_FOLDER has no data of Redis." >&2; exit 0; }
before="$DATA_FOLDER/appendonlydir.before.$(date -u +%Y%m%dT%H%M%SZ)"
mv "$DATA_FOLDER/appendonlydir" "$before"
echo "The former data is in $before. Start Redis." >&2
