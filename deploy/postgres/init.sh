#!/bin/bash
# Run once by the PostgreSQL image, on an empty server: every service's database and roles.
# Runs by itself too: PGHOST, PGUSER and PGPASSWORD name the server, the *_PASSWORD variables below the new roles' passwords.
set -eu
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}"
here="${CLIENTBILLING_SQL:-/clientbilling}"
for service in gateway invoicing processors tax notifications sandbox_books; do
  password="$(echo "$service" | tr '[:lower:]' '[:upper:]')_PASSWORD"
  psql -X -q -v ON_ERROR_STOP=1 -d postgres -v service="$service" \
    -v owner="${service}_owner" -v owner_password="${OWNERS_PASSWORD:?}" \
    -v role="$service" -v role_password="${!password:?}" -f "$here/service.sql"
done
psql -X -q -v ON_ERROR_STOP=1 -d postgres \
  -c 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC' -c 'REVOKE CONNECT ON DATABASE template1 FROM PUBLIC'
