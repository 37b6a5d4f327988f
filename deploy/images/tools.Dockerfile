# The development issuer, and the tool that sets up users, rights, topics and buckets on the
# servers. For development only.
#
#   docker build -f deploy/images/tools.Dockerfile -t direct311/tools .

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE}
ARG UV=0.13.9
RUN python3 -m venv /tooling && /tooling/bin/pip install --no-cache-dir uv==${UV}
WORKDIR /source
COPY requirements.lock ./
COPY libs libs
RUN /tooling/bin/uv venv /app && \
    /tooling/bin/uv pip install --no-cache --python /app/bin/python \
        --constraints requirements.lock --build-constraints requirements.lock \
        ./libs/schemas ./libs/redaction "./libs/runtime[aws]" ./libs/verifier
COPY deploy deploy
ENV PATH=/app/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10311:10311
CMD ["python", "-m", "deploy.local.identity"]
