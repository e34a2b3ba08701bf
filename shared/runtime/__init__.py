"""What every process has: settings, logs, metrics, tasks, tracing."""
