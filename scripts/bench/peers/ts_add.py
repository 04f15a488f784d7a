"""What most scripts do: read a message, decode it, TS.ADD it, and commit now and then."""

import json
import sys
import time

import redis
from confluent_kafka import Consumer

task = json.load(sys.stdin)
consumer = Consumer({**task["kafka"], "group.id": task["group"], "auto.offset.reset": "earliest"})
consumer.subscribe([task["topic"]])
series = redis.Redis(**task["redis"]).ts()
began = 0.0
read = 0
while read < task["records"]:
    message = consumer.poll(1)
    if message is None or message.error():
        continue
    began = began or time.time()
    read += 1
    value = json.loads(message.value())
    if value["sensor"] == task["heartbeat"]:
        continue
    key = task["prefix"] + (value["sensor"] if value["site"] == "home" else f"{value['site']}:{value['sensor']}")
    series.add(key, value["ts"], value["value"], duplicate_policy="first", labels={"site": value["site"]})
print(json.dumps({"seconds": time.time() - began}))
consumer.close()
