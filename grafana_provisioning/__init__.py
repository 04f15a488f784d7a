"""The dashboards, defined once: built here in Python, kept as JSON, shown by Grafana and by the board.

``dashboards/*.json`` are what ``build`` writes; ``datasources*/`` and ``dashboards/iot.yaml`` provision a Grafana from
files; ``push`` puts the same into one that runs. README.md here says which part of Grafana's model the JSON uses.
Building needs the package grafana-foundation-sdk, which is a tool of development; nothing else here does.
"""
