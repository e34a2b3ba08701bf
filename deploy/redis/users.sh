# For start.sh and passwords.sh: `write_users` prints the users of Redis with hashes of their passwords.
# While a password is replaced, a user has two: that of X_REDIS_PASSWORD and that of X_REDIS_PASSWORD_NEXT.
: "${INDEXER_REDIS_PASSWORD:?the password of the user indexer}"
: "${API_REDIS_PASSWORD:?the password of the user api}"
: "${FANOUT_REDIS_PASSWORD:?the password of the user fanout}"
: "${ARCHIVER_REDIS_PASSWORD:?the password of the user archiver}"
: "${WEBHOOKS_REDIS_PASSWORD:?the password of the user webhooks}"
: "${OPERATOR_REDIS_PASSWORD:?the password of the user operator}"
hashes() {
  for password; do
    [ -z "$password" ] || printf '#%s ' "$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)"
  done
}
quoted() { # a text in double quotes, for Redis' configuration and its client
  printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"
}
write_users() {
  sed -e "s/#INDEXER_SHA256/$(hashes "$INDEXER_REDIS_PASSWORD" "${INDEXER_REDIS_PASSWORD_NEXT:-}")/" \
    -e "s/#API_SHA256/$(hashes "$API_REDIS_PASSWORD" "${API_REDIS_PASSWORD_NEXT:-}")/" \
    -e "s/#FANOUT_SHA256/$(hashes "$FANOUT_REDIS_PASSWORD" "${FANOUT_REDIS_PASSWORD_NEXT:-}")/" \
    -e "s/#ARCHIVER_SHA256/$(hashes "$ARCHIVER_REDIS_PASSWORD" "${ARCHIVER_REDIS_PASSWORD_NEXT:-}")/" \
    -e "s/#WEBHOOKS_SHA256/$(hashes "$WEBHOOKS_REDIS_PASSWORD" "${WEBHOOKS_REDIS_PASSWORD_NEXT:-}")/" \
    -e "s/#OPERATOR_SHA256/$(hashes "$OPERATOR_REDIS_PASSWORD" "${OPERATOR_REDIS_PASSWORD_NEXT:-}")/" \
    "$here/users.acl"
}
