"""The ingest bridge: from the topics into RedisTimeSeries."""
