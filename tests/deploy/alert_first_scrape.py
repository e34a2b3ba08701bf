"""For promtool: errors that a process counted before Prometheus scraped it for the first time."""

from __future__ import annotations

# It starts 10 s before its first scrape, two minutes before the alerts are looked at.
_START: dict[str, str | None] = {
    'process_start_time_seconds{job="new",instance="n"}': "_x112 1670x88"
}


def _counted(counter: str, label: str = "", count: int = 1) -> dict[str, str | None]:
    return _START | {f'{counter}{{job="new",instance="n"{label}}}': f"_x112 {count}x88"}


FIRST_SCRAPE: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "an event was not decoded before the first scrape": (
        _counted("headrace_indexer_dead_letters_total"),
        {"HeadraceDeadLetters"},
    ),
    "Redis lost writes before the first scrape": (
        _counted("headrace_commits_total", ',outcome="behind"'),
        {"HeadraceJournalLostWrites"},
    ),
    "a loss was found before the first scrape": (
        _counted("headrace_losses_total", ',what="progress"'),
        {"HeadraceDataLost"},
    ),
    "clients came back too late before the first scrape": (
        _counted("headrace_fanout_replays_total", ',outcome="gap"', 99),
        {"HeadraceHistoryTooShort"},
    ),
    "a webhook was disabled before the first scrape": (
        _counted("headrace_webhook_disabled_total", ',reason="gone"'),
        {"HeadraceWebhookDisabled"},
    ),
    "a delivery was not signed before the first scrape": (
        _counted("headrace_webhook_attempts_total", ',outcome="unsigned"'),
        {"HeadraceWebhookUnsigned"},
    ),
}
