"""The commands of `python -m app`, by subject: jobs, queues, triggers, email, accounts, bucket."""
