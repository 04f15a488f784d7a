"""The contract on Kafka: what the topics, keys and series are called and what a valid reading is.

Everything here can be imported by every other package, and imports none of them.
"""
