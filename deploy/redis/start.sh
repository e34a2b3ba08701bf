#!/bin/sh
# Start Redis with its users. Passwords come from the environment. Redis gets only their hashes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/users.sh"
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
umask 077
write_users >"$RUN_FOLDER/users.acl"
printf %s "$OPERATOR_REDIS_PASSWORD" >"$RUN_FOLDER/operator-password" # for cli.sh; passwords.sh can change it
# With these lines a server can follow another one: at once (REPLICA_OF), or after REPLICAOF or FAILOVER.
{
  echo "masteruser operator"
  printf 'masterauth %s\n' "$(quoted "$OPERATOR_REDIS_PASSWORD")"
  [ -z "${REDIS_ADDRESS:-}" ] || echo "replica-announce-ip $REDIS_ADDRESS" # where the other server finds this one
  [ -z "${REPLICA_OF:-}" ] || echo "replicaof ${REPLICA_OF%:*} ${REPLICA_OF##*:}"
} >"$RUN_FOLDER/replication.conf"
unset INDEXER_REDIS_PASSWORD_NEXT API_REDIS_PASSWORD_NEXT FANOUT_REDIS_PASSWORD_NEXT ARCHIVER_REDIS_PASSWORD_NEXT
unset WEBHOOKS_REDIS_PASSWORD_NEXT OPERATOR_REDIS_PASSWORD_NEXT
unset INDEXER_REDIS_PASSWORD API_REDIS_PASSWORD FANOUT_REDIS_PASSWORD ARCHIVER_REDIS_PASSWORD
unset WEBHOOKS_REDIS_PASSWORD OPERATOR_REDIS_PASSWORD
exec "${REDIS_SERVER:-valkey-server}" "$here/redis.conf" --include "$RUN_FOLDER/replication.conf" \
  --aclfile "$RUN_FOLDER/users.acl" \
  --dir "$DATA_FOLDER" --bind "$HOST" --port "$PORT" --maxmemory "$REDIS_MAXMEMORY"
