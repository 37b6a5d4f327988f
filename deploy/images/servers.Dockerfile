# The servers of the compose topology, from the same files that the local stack runs: the build
# context is the folder where set-up puts them ($XDG_CACHE_HOME/direct311).
#
#   docker build -f deploy/images/servers.Dockerfile --target kafka -t direct311/kafka ~/.cache/direct311
#
# For development only. In production these are the county's own Kafka, MongoDB and S3 store.

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS kafka
ARG KAFKA=4.3.1
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless && \
    rm -rf /var/lib/apt/lists/*
COPY kafka-${KAFKA}/libs /opt/kafka/libs
USER 10311:10311
STOPSIGNAL SIGTERM
CMD ["/bin/sh", "-c", "exec java -Xms256m -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp '/opt/kafka/libs/*' kafka.Kafka \"$DIRECT311_ROOT/kafka.properties\""]

FROM ${BASE} AS database
ARG DATABASE=0.5.3-beta.196
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 && \
    rm -rf /var/lib/apt/lists/*
COPY secantus-mdb-${DATABASE}/bin/secantusd-rs /usr/local/bin/
USER 10311:10311
STOPSIGNAL SIGTERM
CMD ["/bin/sh", "-c", "exec secantusd-rs --config \"$DIRECT311_ROOT/database.toml\" --host 0.0.0.0 --port 27311 --storage-path \"$DIRECT311_ROOT/data/database\" --sync-on-commit --cache-size 512M --log-level WARNING --auth"]

FROM ${BASE} AS store
ARG STORE=1.8.0
COPY versitygw-${STORE}/bin/versitygw /usr/local/bin/
USER 10311:10311
STOPSIGNAL SIGTERM
CMD ["/bin/sh", "-c", "exec versitygw --port 0.0.0.0:19311 --quiet --health /health --iam-dir \"$DIRECT311_ROOT/data/store/accounts\" posix --versioning-dir \"$DIRECT311_ROOT/data/store/versions\" \"$DIRECT311_ROOT/data/store/objects\""]
