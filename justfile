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

# Run the tests against servers of their own: `just test tests/users -k register`.
test *args:
    pytest -q {{ args }}

# Measure beside others and print a table: `just bench jobs`.
bench *args:
    python -m tests.bench {{ args }}

# Kill workers, Redis and connections under load, and see that nothing is lost: `just chaos --long`.
[no-exit-message]
chaos *args:
    python -m tests.chaos {{ args }}

# Check style, format, types and the direction of imports.
check:
    ruff check
    ruff format --check
    mypy
    lint-imports
