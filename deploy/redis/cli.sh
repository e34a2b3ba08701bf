#!/bin/sh
# Run valkey-cli as the user operator: `sh cli.sh info persistence`. Exit code 1 if Redis returns an error.
# The password is never an argument, because other users can see a process's arguments. It comes from
# the file that start.sh and passwords.sh write, or from the environment: in a container, the environment still
# has the first password after passwords.sh has changed it.
set -eu
if [ -n "${RUN_FOLDER:-}" ] && [ -r "$RUN_FOLDER/operator-password" ]; then
  OPERATOR_REDIS_PASSWORD=$(cat "$RUN_FOLDER/operator-password")
fi
: "${OPERATOR_REDIS_PASSWORD:?the password of the user operator}"
: "${HOST:=127.0.0.1}" "${PORT:=6379}"
export REDISCLI_AUTH="$OPERATOR_REDIS_PASSWORD" VALKEYCLI_AUTH="$OPERATOR_REDIS_PASSWORD"
exec "${REDIS_CLI:-valkey-cli}" -e --user operator -h "$HOST" -p "$PORT" "$@"
