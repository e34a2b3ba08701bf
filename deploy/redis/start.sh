#!/bin/sh
# Start Redis with its users. The password comes from the environment and is kept as a hash only.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${REDIS_PASSWORD:?the password of the user headrace}" "${REDIS_MAXMEMORY:=1gb}"
: "${HOST:=0.0.0.0}" "${PORT:=6379}" "${RUN_FOLDER:=/tmp}" "${DATA_FOLDER:=/data}"
hash=$(printf %s "$REDIS_PASSWORD" | sha256sum | cut -d ' ' -f 1)
umask 077
sed "s/PASSWORD_SHA256/$hash/" "$here/users.acl" >"$RUN_FOLDER/users.acl"
unset REDIS_PASSWORD
exec "${REDIS_SERVER:-valkey-server}" "$here/redis.conf" --aclfile "$RUN_FOLDER/users.acl" \
  --dir "$DATA_FOLDER" --bind "$HOST" --port "$PORT" --maxmemory "$REDIS_MAXMEMORY"
