"""Test runs under other dates, times of day and time zones: `just test-clocks`."""
