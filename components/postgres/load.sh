# Fills the database from the dump at $URL, all of it or nothing. Runs in a POSIX shell with wget, awk and PostgreSQL's clients,
# which know the database from their environment (PGHOST and so on).
set -eu
cd "$WORK"

tables=$(psql --no-psqlrc --tuples-only --no-align --command 'select count(*) from pg_tables where tableowner = current_user')
if [ "$tables" -ne 0 ]; then
  echo "The database has $tables tables already: nothing is loaded."
  exit 0
fi

wget -q -O dump "$URL"

# What belongs to the old database's roles is left out, for here all belongs to one role; so are remarks on extensions, which
# belong to the superuser. Rows, between COPY and a line with \., are left as they are.
filter() {
  awk '
    /^COPY .* FROM stdin;$/ { rows = 1 }
    rows { print; if ($0 == "\\.") rows = 0; next }
    /^ALTER .* OWNER TO .*;$/ || /^ALTER DEFAULT PRIVILEGES .*;$/ || /^COMMENT ON EXTENSION .*;$/ { next }
    /^GRANT .* TO .*;$/ || /^REVOKE .* FROM .*;$/ { next }
    { print }
  ' > dump.sql
}

case $(od -A n -t x1 -N 5 dump | tr -d ' \n') in
  5047444d50) pg_restore --no-owner --no-privileges --file=- dump | filter ;; # an archive of pg_dump
  1f8b*) gzip -d -c < dump | filter ;;
  *) filter < dump ;;
esac

if ! tail -n 20 dump.sql | grep -q '^-- PostgreSQL database dump complete'; then
  echo 'This is not a whole dump of one database by pg_dump: nothing is loaded.' >&2
  exit 1
fi
psql --no-psqlrc --quiet --single-transaction --set=ON_ERROR_STOP=1 --file=dump.sql > /dev/null
PGOPTIONS='-c client_min_messages=error' psql --no-psqlrc --quiet --command=analyze # the role may not analyze all
echo 'The dump is loaded.'
