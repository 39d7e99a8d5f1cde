"""From the transaction that causes a job to its end."""
