#!/usr/bin/env bash
# For each service a database and its roles, as sql/service_database.sql says, and nothing else for anybody. Run
# by the postgres image on an empty volume, and by hand on an old one: it makes what is missing, and sets the
# passwords.
set -euo pipefail

folder=$(dirname "${BASH_SOURCE[0]}")

run_in() {
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname "$1" "${@:2}"
}

create_database() {
  local service=$1 prefix=${1^^}
  run_in postgres --set service="$service" << 'SQL'
SELECT format('CREATE DATABASE %I', :'service')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'service') \gexec
SQL
  run_in "$service" --set file="$folder/sql/service_database.sql" << SQL
\getenv owner_password ${prefix}_OWNER_DATABASE_PASSWORD
\getenv service_password ${prefix}_DATABASE_PASSWORD
\getenv reader_password ${prefix}_READER_DATABASE_PASSWORD
SET tollgate.owner_password = :'owner_password';
SET tollgate.service_password = :'service_password';
SET tollgate.reader_password = :'reader_password';
\i :file
SQL
}

run_in postgres --file="$folder/sql/server.sql"
for service in wallet campaign telephony billing_gateway; do
  create_database "$service"
done
