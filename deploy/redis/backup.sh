#!/bin/sh
# Write a backup of a running Redis, an RDB file, to standard output. What was acknowledged before
# the start is in it. Redis goes on meanwhile: it forks, as it does for a replica.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${DATA_FOLDER:=/data}"
[ ! -t 1 ] || { echo "standard output is a terminal: add >headrace.rdb" >&2; exit 1; }
umask 077
# A file first: valkey-cli cannot cut the end mark of the transfer off a stream.
folder=$(mktemp -d "$DATA_FOLDER/backup.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
sh "$here/cli.sh" --rdb "$folder/headrace.rdb" >&2
"${REDIS_CHECK_RDB:-valkey-check-rdb}" "$folder/headrace.rdb" >&2
cat "$folder/headrace.rdb"
