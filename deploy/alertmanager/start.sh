#!/bin/sh
# Start Alertmanager. Its configuration file cannot contain variables, so this script writes the file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${ALERT_WEBHOOK_URL:=}" "${DATA_FOLDER:=/alertmanager}" "${RUN_FOLDER:=/tmp}"
: "${HOST:=0.0.0.0}" "${PORT:=9093}"
case "$ALERT_WEBHOOK_URL" in
  '' | http://* | https://*) ;;
  *) echo "ALERT_WEBHOOK_URL must begin with http:// or https://" >&2; exit 1 ;;
esac
case "$ALERT_WEBHOOK_URL" in
  *[\'[:space:]]*) echo "ALERT_WEBHOOK_URL has a quote or a space: write them as %27 and %20" >&2; exit 1 ;;
esac
umask 077 # the URL may contain a secret
{
  cat "$here/alertmanager.yaml"
  [ -z "$ALERT_WEBHOOK_URL" ] || echo "    webhook_configs: [{ url: '$ALERT_WEBHOOK_URL' }]"
} >"$RUN_FOLDER/alertmanager.yaml"
# One Alertmanager needs no cluster.
exec "${ALERTMANAGER:-alertmanager}" --config.file="$RUN_FOLDER/alertmanager.yaml" \
  --storage.path="$DATA_FOLDER" --web.listen-address="$HOST:$PORT" --cluster.listen-address=
