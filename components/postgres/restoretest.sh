# Restores the newest backup and the archive after it into $WORK, which is empty, and reads every row of every database: what could
# not be restored, or read, fails. Runs in a POSIX shell with pgBackRest and PostgreSQL's programs of the version of the backup, as
# the user that PostgreSQL runs as. Nothing is archived, and nobody reaches the server.
set -eu
began=$(date +%s)
mkdir -m 700 "$WORK/data"
pgbackrest --pg1-path="$WORK/data" --lock-path="$WORK" --log-level-file=off --archive-mode=off restore

# A configuration of its own: the restored one names files that are not here. Without hot_standby nothing has to be as large as it is
# on the primary.
echo 'local all all trust' >"$WORK/hba"
cat >"$WORK/postgresql.conf" <<SETTINGS
hba_file = '$WORK/hba'
unix_socket_directories = '$WORK'
listen_addresses = ''
hot_standby = off
archive_mode = off
shared_preload_libraries = '${PRELOAD:-}'
SETTINGS

postgres -D "$WORK/data" -c config_file="$WORK/postgresql.conf" >"$WORK/log" 2>&1 &
server=$!
trap 'kill -QUIT "$server" 2>/dev/null || true' EXIT
export PGHOST="$WORK" PGUSER=postgres
until pg_isready --quiet; do # it is when it has replayed the archive to its end
  if ! kill -0 "$server" 2>/dev/null; then
    tail -n 50 "$WORK/log" >&2
    exit 1
  fi
  sleep 1
done
for database in $DATABASES; do
  tables=$(psql --no-psqlrc --tuples-only --no-align --dbname="$database" \
    --command "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')")
  echo "Database $database has $tables tables."
done
pg_dumpall >/dev/null # reads every row, and checks what it reads
kill -INT "$server"
wait "$server"
last=$(sed -n 's/.*last completed transaction was at log time //p' "$WORK/log")
echo "All of it is restored and read, in $(($(date +%s) - began)) s; its last change is of ${last:-before the backup}."
