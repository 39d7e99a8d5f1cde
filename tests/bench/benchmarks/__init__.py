"""The measurements, one module for each. The modules of tests.bench set the targets."""
