#!/usr/bin/env bash
# Run once by the postgres image, on an empty volume: for each service a database, a role that owns and
# migrates it, and a role that serves and may do only what the migrations grant.
set -euo pipefail

create_database() {
  local service=$1 prefix=${1^^}
  psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set service="$service" --set owner="${service}_owner" << SQL
\getenv owner_password ${prefix}_OWNER_DATABASE_PASSWORD
\getenv service_password ${prefix}_DATABASE_PASSWORD
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"service" LOGIN PASSWORD :'service_password';
CREATE DATABASE :"service" OWNER :"owner";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"service";
SQL
}

for service in wallet campaign telephony billing_gateway; do
  create_database "$service"
done
