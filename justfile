# `uv run` installs what `just up` needs; recipes for tests and benchmarks add their dependency groups.
uv := env("UV", "uv")
with_dev := uv + " run --group dev"
with_bench := uv + " run --group bench"

# List the recipes.
default:
    @{{ just_executable() }} --list --unsorted

# Start Postgres, Valkey, S3, an SMTP inbox, the API and the worker; stop with Ctrl-C.
[no-exit-message]
up:
    @exec python -m app.embedded up # exec: signals must reach Python, not a shell

# Stop a running `just up`.
[no-exit-message]
down:
    @python -m app.embedded down

# Print the running system's settings as shell variables: `eval "$(uv run just env)"`.
[no-exit-message]
env:
    @python -m app.embedded env

# Stop a running `just up` and delete all its data.
[no-exit-message]
reset:
    @python -m app.embedded reset

# Run one more API process against the running system, or the servers named in .env.
[no-exit-message]
api:
    @exec python -m app.embedded connect api

# Run one more worker; with `--burst` it exits when no job is due.
[no-exit-message, positional-arguments]
worker *args:
    @exec python -m app.embedded connect worker -- "$@"

# Run one more worker, and restart it when the code changes.
[no-exit-message]
watch:
    @exec {{ uv }} run --quiet --with watchfiles watchfiles --sigint-timeout 30 --sigkill-timeout 5 \
        'python -m app.embedded connect worker' app worker

# Open psql, or run a statement: `just psql -c 'select count(*) from jobs'`.
[no-exit-message, positional-arguments]
psql *args:
    @exec python -m app.embedded connect psql -- "$@"

# Open a Redis client, or run a command: `just redis zrange arq:queue:critical 0 -1`.
[no-exit-message, positional-arguments]
redis *args:
    @exec python -m app.embedded connect redis -- "$@"

# Apply pending migrations.
[no-exit-message, positional-arguments]
migrate *args:
    @exec python -m app.embedded connect app -- migrate "$@"

# List, show and cancel jobs, and retry or discard dead letters: `just jobs list --state dead`.
[no-exit-message, positional-arguments]
jobs *args:
    @exec python -m app.embedded connect app -- jobs "$@"

# List, pause and resume queues: `just queues pause low`.
[no-exit-message, positional-arguments]
queues *args:
    @exec python -m app.embedded connect app -- queues "$@"

# List, pause and resume kinds of jobs: `just kinds pause email:weekly_summary`.
[no-exit-message, positional-arguments]
kinds *args:
    @exec python -m app.embedded connect app -- kinds "$@"

# List the workers and their running jobs.
[no-exit-message, positional-arguments]
workers *args:
    @exec python -m app.embedded connect app -- workers "$@"

# Run a job now and print the outcome: `just trigger stats:daily`. Without a name, list what it can run.
[no-exit-message, positional-arguments]
trigger *args:
    @exec python -m app.embedded connect app -- trigger "$@"

# Test the mail settings and manage suppressions: `just email test me@example.com`.
[no-exit-message, positional-arguments]
email *args:
    @exec python -m app.embedded connect app -- email "$@"

# Record what this release's code needs from the schema, to test later migrations against it.
freeze:
    {{ with_dev }} python -m tests.sql.freeze

# Run the tests on their own servers: `just test tests/users -k register`.
test *args:
    {{ with_dev }} pytest -q {{ args }}

# Run the tests on other dates, times and time zones (needs root): `just test-clocks -m dated`.
[no-exit-message]
test-clocks *args:
    @exec {{ with_dev }} python -m tests.clocks {{ args }}

# Run one benchmark: `just bench jobs`. Without a name, run all and write docs/benchmarks.md.
bench *args:
    {{ with_bench }} python -m tests.bench {{ args }}

# Kill, freeze and flush workers and servers under load, and check that no job is lost: `just chaos --hour`.
[no-exit-message]
chaos *args:
    {{ with_bench }} python -m tests.chaos {{ args }}

# Attack an API: hostile images, floods of guesses, generated requests: `just attack images`, `just attack --short`.
[no-exit-message]
attack *args:
    {{ with_dev }} python -m tests.attack {{ args }}

# Check style, format, types, import layers, alert rules and dependencies.
check: && alerts audit
    {{ with_dev }} ruff check
    {{ with_dev }} ruff format --check
    {{ with_dev }} mypy
    {{ with_dev }} lint-imports

# Check the alert rules and run their tests, if promtool is installed; in CI it must be.
[no-exit-message]
alerts:
    @if command -v promtool >/dev/null; then \
        promtool check config --lint=all deploy/prometheus.yml \
        && promtool test rules deploy/alerts_test.yml deploy/alerts_days_test.yml; \
    else \
        echo "alerts: not tested, promtool is missing (install Debian's package prometheus)"; \
        test -z "${CI:-}"; \
    fi

# Check the locked dependencies for known vulnerabilities at osv.dev; being offline is not a failure.
[no-exit-message]
audit:
    @said=$(UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=10 uv audit --quiet --frozen --no-default-groups \
        --preview-features audit-command 2>&1) || { code=$?; \
        test $code -eq 1 || said=$(echo "audit: skipped: $said" | head -1); \
        echo "$said"; test $code -ne 1; }
