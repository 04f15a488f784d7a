"""docker-compose.yml, its image, and the steps that its containers run."""
