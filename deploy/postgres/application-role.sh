#!/bin/bash
# Run once by the postgres image, on an empty data folder: the application's role owns its database and is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$DATABASE_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE hearthside LOGIN PASSWORD :'password';
CREATE DATABASE hearthside OWNER hearthside;
SQL
