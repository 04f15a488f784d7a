"""The board: the provisioned dashboards as a web page, and a small HTTP API; both read Redis as ``viewer``.

``iot board`` serves it at IOT_BOARD. It draws ``grafana_provisioning/dashboards/*.json``: what Grafana would
show.
"""
