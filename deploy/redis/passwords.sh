#!/bin/sh
# Give a running Redis new passwords: `env | grep REDIS_PASSWORD | sh passwords.sh`. Standard input has a line
# NAME=password for each of the six users, and NAME_NEXT=password for a second password of a user. Passwords
# that are not there are no longer accepted. Connections of the services stay open.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${RUN_FOLDER:=/tmp}"
unset INDEXER_REDIS_PASSWORD API_REDIS_PASSWORD FANOUT_REDIS_PASSWORD ARCHIVER_REDIS_PASSWORD
unset WEBHOOKS_REDIS_PASSWORD OPERATOR_REDIS_PASSWORD
unset INDEXER_REDIS_PASSWORD_NEXT API_REDIS_PASSWORD_NEXT FANOUT_REDIS_PASSWORD_NEXT ARCHIVER_REDIS_PASSWORD_NEXT
unset WEBHOOKS_REDIS_PASSWORD_NEXT OPERATOR_REDIS_PASSWORD_NEXT
while IFS= read -r line; do
  case "${line%%=*}" in
    INDEXER_REDIS_PASSWORD | API_REDIS_PASSWORD | FANOUT_REDIS_PASSWORD | ARCHIVER_REDIS_PASSWORD | \
      WEBHOOKS_REDIS_PASSWORD | OPERATOR_REDIS_PASSWORD | INDEXER_REDIS_PASSWORD_NEXT | \
      API_REDIS_PASSWORD_NEXT | FANOUT_REDIS_PASSWORD_NEXT | ARCHIVER_REDIS_PASSWORD_NEXT | \
      WEBHOOKS_REDIS_PASSWORD_NEXT | OPERATOR_REDIS_PASSWORD_NEXT)
      export "$line" ;;
  esac
done
. "$here/users.sh"
umask 077
write_users | sh "$here/load-users.sh" || { echo "Redis keeps the passwords that it had." >&2; exit 1; }
printf %s "$OPERATOR_REDIS_PASSWORD" >"$RUN_FOLDER/operator-password" # for cli.sh
# If it follows another server. The command is not an argument, for the same reason as in cli.sh.
printf 'config set masterauth %s\n' "$(quoted "$OPERATOR_REDIS_PASSWORD")" | sh "$here/cli.sh"
