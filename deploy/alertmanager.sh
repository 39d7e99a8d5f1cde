#!/bin/sh
# Starts Alertmanager with alertmanager.yml, after filling in the variables from the environment:
# Alertmanager itself does not expand any. Without a receiver it starts, says so, and sends no email.
set -eu
umask 077
config=${TMPDIR:-/tmp}/alertmanager.yml

missing=
for name in ALERTS_TO ALERTS_FROM ALERTS_SMARTHOST; do
    eval "test -n \"\${$name:-}\"" || missing="$missing $name"
done

if [ -n "$missing" ]; then
    echo "alertmanager: alerts are not emailed. Not set:$missing. See docs/operations.md" >&2
    printf '%s\n' 'route: {receiver: nobody}' 'receivers: [{name: nobody}]' >"$config"
else
    awk '{
        done = ""
        while (match($0, /\$\{[A-Z_]+\}/)) {
            value = ENVIRON[substr($0, RSTART + 2, RLENGTH - 3)]
            gsub(/\047/, "\047\047", value) # a quote inside quotes, in YAML
            done = done substr($0, 1, RSTART - 1) value
            $0 = substr($0, RSTART + RLENGTH)
        }
        print done $0
    }' "${0%/*}/alertmanager.yml" >"$config"
fi

exec alertmanager "--config.file=$config" "$@"
