"""What the containers of docker-compose.yml run besides the system's own commands."""
