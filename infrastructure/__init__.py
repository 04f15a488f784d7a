"""What every process needs and none is about: settings, logs, metrics, and the way to Kafka and Redis.

It imports the contract (topics) and nothing else of the system.
"""
