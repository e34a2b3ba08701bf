#!/bin/sh
# Read a backup from standard input and put it into Redis' data folder. Redis must not be running.
# The former data is not deleted: it is moved to appendonlydir.before.<time>.
#
# With `appendonly yes` Redis ignores a dump.rdb and loads its append-only files. So the backup becomes
# the base file of a new set of append-only files. Redis 7.0 or newer and Valkey can load such a set.
set -eu
: "${DATA_FOLDER:=/data}"
fail() { echo "nothing was restored: $1" >&2; exit 1; }
[ ! -t 0 ] || fail "standard input is a terminal: add <headrace.rdb"
umask 077
exec 9>"$DATA_FOLDER/in-use"
flock -n 9 || fail "a Redis uses $DATA_FOLDER. Stop it first."
folder=$(mktemp -d "$DATA_FOLDER/restore.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$folder/new"
cat >"$folder/new/appendonly.aof.1.base.rdb"
"${REDIS_CHECK_RDB:-valkey-check-rdb}" "$folder/new/appendonly.aof.1.base.rdb" >&2 ||
  fail "the backup is not whole, or a newer Redis than this one wrote it"
echo "file appendonly.aof.1.base.rdb seq 1 type b" >"$folder/new/appendonly.aof.manifest"
sync
if [ -e "$DATA_FOLDER/appendonlydir" ]; then
  before="$DATA_FOLDER/appendonlydir.before.$(date -u +%Y%m%dT%H%M%SZ)"
  mv "$DATA_FOLDER/appendonlydir" "$before"
  echo "The former data is in $before." >&2
fi
mv "$folder/new" "$DATA_FOLDER/appendonlydir"
echo "Restored. Start Redis." >&2
