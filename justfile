# `just up` runs on what `uv run` installs by default; tests and benchmarks bring the rest when asked for.
uv := env("UV", "uv")
with_dev := uv + " run --quiet --group dev"
with_bench := uv + " run --quiet --group bench"

# List the recipes.
default:
    @{{ just_executable() }} --list --unsorted

# Start Postgres, Valkey, S3, an SMTP inbox, the API and the worker; stop with Ctrl-C.
up:
    @exec python -m app.embedded up # exec: a signal to just shall reach it, not the shell

# Stop a running `just up`.
down:
    @python -m app.embedded down

# Print the URLs of the running system as KEY=value lines.
env:
    @python -m app.embedded env

# Stop it and remove all of its data.
reset:
    @python -m app.embedded reset

# Apply the migrations to DATABASE_URL.
migrate:
    python -m app migrate

# Look at jobs, cancel them, run them again: `just jobs list --state dead`, `just jobs show ID`.
[no-exit-message]
jobs *args:
    @{{ joined }}; exec python -m app jobs {{ args }}

# Look at queues, pause and resume them: `just queues pause low`.
[no-exit-message]
queues *args:
    @{{ joined }}; exec python -m app queues {{ args }}

# Look at kinds of jobs, pause and resume them: `just kinds pause email:weekly_summary`.
[no-exit-message]
kinds *args:
    @{{ joined }}; exec python -m app kinds {{ args }}

# List the workers and what they run.
[no-exit-message]
workers *args:
    @{{ joined }}; exec python -m app workers {{ args }}

# Run a job now and wait: `just trigger stats:daily --date 2026-11-23`; an unknown name lists all.
[no-exit-message]
trigger *args:
    @{{ joined }}; exec python -m worker.trigger {{ args }}

# Try the mail settings, lift suppressions: `just email test me@example.com`.
[no-exit-message]
email *args:
    @{{ joined }}; exec python -m app email {{ args }}

# The variables of a running `just up`, unless DATABASE_URL says what to join.
joined := 'test -n "${DATABASE_URL:-}" || eval "$(python -m app.embedded env 2>/dev/null | sed "s/^/export /")"'

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
