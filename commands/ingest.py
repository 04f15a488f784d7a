"""iot ingest, python -m ingest: write readings, aggregates and rejections from Kafka into RedisTimeSeries."""

from __future__ import annotations


def ingest() -> None:
    """Write the topics into Redis until Ctrl-C or SIGTERM.

    Then the batch under way is finished and committed, and the exit code is 0. While Kafka or Redis is away the
    bridge says so, waits, and goes on. Every setting comes from the environment (docs/reference/settings.md); any
    number of bridges share the work.
    """
    import signal

    from infrastructure import logs, metrics_endpoint
    from infrastructure.settings import load_settings
    from ingest.bridge import Bridge
    from ingest.health import BridgeHealth
    from ingest.metrics import BridgeMetrics
    from topics import catalogue

    settings = load_settings()
    logs.configure(settings.monitoring.log_format)
    bridge = Bridge(settings, catalogue.read(settings.sensors))
    metrics_endpoint.serve(
        BridgeMetrics(settings, bridge.counts),
        settings.monitoring.host,
        settings.monitoring.ingest_port,
        "IOT_INGEST_METRICS",
        BridgeHealth(settings, bridge.counts),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bridge.stop())
    bridge.run()
