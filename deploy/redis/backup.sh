#!/bin/sh
# Write a backup (an RDB file) of a running Redis to standard output. The backup contains every write
# that was confirmed before the backup began. Redis makes it in a child process and continues to work.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${DATA_FOLDER:=/data}"
[ ! -t 1 ] || { echo "standard output is a terminal: add >headrace.rdb" >&2; exit 1; }
umask 077
# Write to a file first: if the output is a pipe, valkey-cli adds the end mark of the transfer to the data.
folder=$(mktemp -d "$DATA_FOLDER/backup.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
sh "$here/cli.sh" --rdb "$folder/headrace.rdb" >&2
"${REDIS_CHECK_RDB:-valkey-check-rdb}" "$folder/headrace.rdb" >&2
cat "$folder/headrace.rdb"
