"""PyFlink's DataStream operators: the daily window with lateness, in Python, on the same cluster as the job."""

import json
import os
import sys
import time
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import requests
from confluent_kafka import Consumer, TopicPartition

from jobs.tools import connector_jar, java_home

warnings.simplefilter("ignore")
os.environ["JAVA_HOME"] = str(java_home())

from pyflink.common import Configuration, Duration, SimpleStringSchema, Time, Types, WatermarkStrategy  # noqa: E402
from pyflink.common.watermark_strategy import TimestampAssigner  # noqa: E402
from pyflink.datastream import OutputTag, StreamExecutionEnvironment  # noqa: E402
from pyflink.datastream.connectors.kafka import (  # noqa: E402
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.functions import AggregateFunction, ProcessWindowFunction  # noqa: E402
from pyflink.datastream.window import TumblingEventTimeWindows  # noqa: E402
from pyflink.java_gateway import get_gateway  # noqa: E402

DELAY_SECONDS = 10


class Stamp(TimestampAssigner):
    """A reading's own time."""

    def extract_timestamp(self, value, record_timestamp):
        return value[1]


class Fold(AggregateFunction):
    """Count and sum."""

    def create_accumulator(self):
        return 0, 0.0

    def add(self, value, accumulator):
        return accumulator[0] + 1, accumulator[1] + value[2]

    def get_result(self, accumulator):
        return accumulator

    def merge(self, a, b):
        return a[0] + b[0], a[1] + b[1]


class Told(ProcessWindowFunction):
    """A window's result as a line; a later one replaces it."""

    def process(self, key, context, elements):
        count, total = next(iter(elements))
        yield f"w,{key},{context.window().start},{count},{total / count!r}"


def parsed(text):
    value = json.loads(text)
    site, sensor = value["site"], value["sensor"]
    return (sensor if site == "home" else f"{site}/{sensor}"), value["ts"], float(value["value"])


def reading_type():
    """A new one each time: once it was used it holds a Java object, and a tag that has it cannot be pickled."""
    return Types.TUPLE([Types.STRING(), Types.LONG(), Types.DOUBLE()])


def main() -> None:
    task = json.load(sys.stdin)
    rest = urlsplit(task["flink"])
    options = Configuration()
    for name, value in {
        "execution.target": "remote",
        "rest.address": str(rest.hostname),
        "rest.port": str(rest.port),
        "pipeline.jars": connector_jar().as_uri(),
        "pipeline.name": "peer",
        "parallelism.default": "2",
        "pipeline.object-reuse": "true",
        "python.execution-mode": task["mode"],
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "execution.checkpointing.interval": "10 s",
        "restart-strategy.type": "none",
    }.items():
        options.set_string(name, value)
    # `get_execution_environment` would start a cluster of its own, whatever the target.
    java = get_gateway().jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
    environment = StreamExecutionEnvironment(java(options._j_configuration))
    kafka = task["kafka"]
    user, password = kafka["sasl.username"], kafka["sasl.password"]
    login = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule"
    properties = {
        "security.protocol": kafka["security.protocol"],
        "sasl.mechanism": kafka["sasl.mechanism"],
        "sasl.jaas.config": f'{login} required username="{user}" password="{password}";',
    }
    source = KafkaSource.builder().set_bootstrap_servers(kafka["bootstrap.servers"]).set_topics(task["topic"])
    source = source.set_group_id(task["group"]).set_properties(properties)
    source = source.set_starting_offsets(KafkaOffsetsInitializer.earliest())
    source = source.set_bounded(KafkaOffsetsInitializer.latest()).set_value_only_deserializer(SimpleStringSchema())
    results = task["results"]
    schema = KafkaRecordSerializationSchema.builder().set_topic(results)
    # The topic is compacted, and takes nothing without a key.
    schema = schema.set_key_serialization_schema(SimpleStringSchema())
    schema = schema.set_value_serialization_schema(SimpleStringSchema()).build()
    sink = KafkaSink.builder().set_bootstrap_servers(kafka["bootstrap.servers"]).set_record_serializer(schema)
    for name, value in properties.items():
        sink = sink.set_property(name, value)

    late = OutputTag("late", reading_type())
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(DELAY_SECONDS))
    heartbeat = f'"sensor":"{task["heartbeat"]}"'
    windows = (
        environment.from_source(source.build(), WatermarkStrategy.no_watermarks(), "readings")
        .filter(lambda text: heartbeat not in text)
        .map(parsed, reading_type())
        .assign_timestamps_and_watermarks(strategy.with_timestamp_assigner(Stamp()))
        .key_by(lambda reading: reading[0], Types.STRING())
        .window(TumblingEventTimeWindows.of(Time.days(1)))
        .allowed_lateness(task["grace_ms"] - DELAY_SECONDS * 1000)
        .side_output_late_data(late)
        .aggregate(
            Fold(),
            Told(),
            accumulator_type=Types.TUPLE([Types.LONG(), Types.DOUBLE()]),
            output_type=Types.STRING(),
        )
    )
    windows.sink_to(sink.build())
    told = windows.get_side_output(late).map(lambda reading: f"l,{reading[0]},{reading[1]}", Types.STRING())
    told.sink_to(sink.build())
    seconds = wait(task["flink"], str(environment.execute_async("peer").get_job_id()))
    lines = list(read(kafka, results))
    directory = Path(task["directory"])
    with (directory / "windows.csv").open("w") as file:
        file.writelines(line[2:] + "\n" for line in lines if line.startswith("w,"))
    with (directory / "late.csv").open("w") as file:
        file.writelines(line[2:] + "\n" for line in lines if line.startswith("l,"))
    print(json.dumps({"seconds": seconds}))


def wait(flink, job):
    """Seconds that its tasks ran, as for the job."""
    while (state := requests.get(f"{flink}/jobs/{job}", timeout=10).json()["state"]) != "FINISHED":
        if state in ("FAILED", "CANCELED"):
            found = requests.get(f"{flink}/jobs/{job}/exceptions", timeout=10).json()
            sys.exit(f"{state}: {found['exceptionHistory']['entries'][0]['stacktrace']}")
        time.sleep(0.2)
    tasks = [
        task
        for vertex in requests.get(f"{flink}/jobs/{job}", timeout=10).json()["vertices"]
        for task in requests.get(f"{flink}/jobs/{job}/vertices/{vertex['id']}", timeout=10).json()["subtasks"]
    ]
    began = min(task["end-time"] - max(0, task["status-duration"]["RUNNING"]) for task in tasks)
    return (max(task["end-time"] for task in tasks) - began) / 1000


def read(kafka, topic):
    """Every line of a topic of one partition, in order: the last result of a window counts."""
    consumer = Consumer({**kafka, "group.id": "peer-results", "enable.auto.commit": False})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    consumer.assign([TopicPartition(topic, 0, 0)])
    read = 0
    while read < end:
        message = consumer.poll(30)
        read = message.offset() + 1
        yield message.value().decode()
    consumer.close()


main()
