#!/bin/sh
# Start Redis with its users. Passwords come from the environment and are stored only as hashes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${INDEXER_REDIS_PASSWORD:?the password of the user indexer}"
: "${API_REDIS_PASSWORD:?the password of the user api}"
: "${FANOUT_REDIS_PASSWORD:?the password of the user fanout}"
: "${OPERATOR_REDIS_PASSWORD:?the password of the user operator}"
: "${REDIS_MAXMEMORY:=1gb}" "${HOST:=0.0.0.0}" "${PORT:=6379}"
: "${RUN_FOLDER:=/tmp}" "${DATA_FOLDER:=/data}"
# Redis holds this lock while it runs, because a second Redis or restore.sh would destroy its files.
exec 9>"$DATA_FOLDER/in-use"
flock -n 9 || { echo "another Redis uses $DATA_FOLDER" >&2; exit 1; }
# Redis loads only append-only files. If there is only a dump.rdb, Redis would start empty without an error.
if [ -e "$DATA_FOLDER/dump.rdb" ] && [ ! -e "$DATA_FOLDER/appendonlydir" ]; then
  echo "$DATA_FOLDER has a dump.rdb and no appendonlydir: Redis would start empty." >&2
  echo "Put the file back with restore.sh, or move it away to begin with an empty Redis." >&2
  exit 1
fi
hash() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
umask 077
sed -e "s/INDEXER_SHA256/$(hash "$INDEXER_REDIS_PASSWORD")/" \
  -e "s/API_SHA256/$(hash "$API_REDIS_PASSWORD")/" \
  -e "s/FANOUT_SHA256/$(hash "$FANOUT_REDIS_PASSWORD")/" \
  -e "s/OPERATOR_SHA256/$(hash "$OPERATOR_REDIS_PASSWORD")/" \
  "$here/users.acl" >"$RUN_FOLDER/users.acl"
unset INDEXER_REDIS_PASSWORD API_REDIS_PASSWORD FANOUT_REDIS_PASSWORD OPERATOR_REDIS_PASSWORD
exec "${REDIS_SERVER:-valkey-server}" "$here/redis.conf" --aclfile "$RUN_FOLDER/users.acl" \
  --dir "$DATA_FOLDER" --bind "$HOST" --port "$PORT" --maxmemory "$REDIS_MAXMEMORY"
