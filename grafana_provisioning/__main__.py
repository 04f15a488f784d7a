"""python -m grafana_provisioning: Grafana's dashboards and data source."""

from commands.grafana import app
from commands.terminal import run

if __name__ == "__main__":
    run(app, "python -m grafana_provisioning")
