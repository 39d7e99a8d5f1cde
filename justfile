# `uv run` installs what `just up` needs; the recipes of tests and benchmarks install their own groups.
uv := env("UV", "uv")
with_dev := uv + " run --group dev"
with_bench := uv + " run --group bench"

# List the recipes.
default:
    @{{ just_executable() }} --list --unsorted

# Start Postgres, Valkey, S3, an SMTP inbox, the API and the worker; stop with Ctrl-C.
[no-exit-message]
up:
    @exec python -m app.embedded up # exec: a signal to just shall reach it, not the shell

# Stop a running `just up`.
[no-exit-message]
down:
    @python -m app.embedded down

# Print the URLs of the running system for a shell: `eval "$(uv run just env)"`.
[no-exit-message]
env:
    @python -m app.embedded env

# Stop it and remove all of its data.
[no-exit-message]
reset:
    @python -m app.embedded reset

# Run one more API process against the running system, or the servers that .env names.
[no-exit-message]
api:
    @exec python -m app.embedded connect api

# Run one more worker: `just worker --burst` ends when nothing is due.
[no-exit-message, positional-arguments]
worker *args:
    @exec python -m app.embedded connect worker -- "$@"

# Run one more worker, and start it again whenever the code changes.
[no-exit-message]
watch:
    @exec {{ uv }} run --quiet --with watchfiles watchfiles --sigint-timeout 30 --sigkill-timeout 5 \
        'python -m app.embedded connect worker' app worker

# Open psql on the database: `just psql -c 'select count(*) from jobs'`.
[no-exit-message, positional-arguments]
psql *args:
    @exec python -m app.embedded connect psql -- "$@"

# Give Redis a command, or open a client: `just redis zrange arq:queue:critical 0 -1`.
[no-exit-message, positional-arguments]
redis *args:
    @exec python -m app.embedded connect redis -- "$@"

# Apply the migrations that are missing.
[no-exit-message, positional-arguments]
migrate *args:
    @exec python -m app.embedded connect app -- migrate "$@"

# Look at jobs, cancel them, retry them: `just jobs list --state dead`, `just jobs show ID`.
[no-exit-message, positional-arguments]
jobs *args:
    @exec python -m app.embedded connect app -- jobs "$@"

# Look at queues, pause and resume them: `just queues pause low`.
[no-exit-message, positional-arguments]
queues *args:
    @exec python -m app.embedded connect app -- queues "$@"

# Look at kinds of jobs, pause and resume them: `just kinds pause email:weekly_summary`.
[no-exit-message, positional-arguments]
kinds *args:
    @exec python -m app.embedded connect app -- kinds "$@"

# List the workers and what they run.
[no-exit-message, positional-arguments]
workers *args:
    @exec python -m app.embedded connect app -- workers "$@"

# Run a job now and print the outcome: `just trigger stats:daily`; without a name, list all jobs.
[no-exit-message, positional-arguments]
trigger *args:
    @exec python -m app.embedded connect app -- trigger "$@"

# Test the mail settings, lift suppressions: `just email test me@example.com`.
[no-exit-message, positional-arguments]
email *args:
    @exec python -m app.embedded connect app -- email "$@"

# Keep what this release's code asks of the schema, for the tests of later migrations.
freeze:
    {{ with_dev }} python -m tests.sql.freeze

# Run the tests against servers of their own: `just test tests/users -k register`.
test *args:
    {{ with_dev }} pytest -q {{ args }}

# Run the tests on other dates, times of day and time zones, as root: `just test-clocks -m dated`.
[no-exit-message]
test-clocks *args:
    @exec {{ with_dev }} python -m tests.clocks {{ args }}

# Measure beside others and print a table: `just bench jobs`; all, and docs/benchmarks.md: `just bench`.
bench *args:
    {{ with_bench }} python -m tests.bench {{ args }}

# Kill workers, Redis and connections under load, and see that nothing is lost: `just chaos --minutes 10`.
[no-exit-message]
chaos *args:
    {{ with_bench }} python -m tests.chaos {{ args }}

# Check style, format, types, the direction of imports, and the dependencies.
check: && alerts audit
    {{ with_dev }} ruff check
    {{ with_dev }} ruff format --check
    {{ with_dev }} mypy
    {{ with_dev }} lint-imports

# Check the alert rules and run their tests, where promtool is; CI must have it.
[no-exit-message]
alerts:
    @if command -v promtool >/dev/null; then \
        promtool check config --lint=all deploy/prometheus.yml \
        && promtool test rules deploy/alerts_test.yml deploy/alerts_days_test.yml; \
    else \
        echo "alerts: not tested: promtool is missing (Debian's package prometheus has it)"; \
        test -z "${CI:-}"; \
    fi

# Ask osv.dev what is known against the locked dependencies; that it cannot be asked is no failure.
[no-exit-message]
audit:
    @said=$(UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=10 uv audit --quiet --frozen --no-default-groups \
        --preview-features audit-command 2>&1) || { code=$?; \
        test $code -eq 1 || said=$(echo "audit: not done: $said" | head -1); \
        echo "$said"; test $code -ne 1; }
