# The AWS that the compose stack runs on: S3, SQS, SNS, DynamoDB and CloudFormation in one process.
# Its own image and venv, because it pins another botocore than the services do.

FROM python:3.11-slim-bookworm AS base

FROM base AS builder
ARG MINISTACK_VERSION=1.5.33
ENV PIP_CACHE_DIR=/var/cache/pip
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --root-user-action=ignore "ministack==${MINISTACK_VERSION}"

FROM base
RUN groupadd --system --gid 10002 emulator \
    && useradd --system --uid 10002 --gid 10002 --home-dir /var/lib/emulator --no-create-home --shell /usr/sbin/nologin emulator \
    # A volume mounted here takes over its owner.
    && install -d -o emulator -g emulator -m 0700 /var/lib/emulator
COPY --from=builder /opt/venv /opt/venv
COPY deploy/healthcheck.py /opt/
# State is kept in memory, and written to the volume on a clean stop.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PORT=4566 \
    GATEWAY_PORT=4566 \
    PERSIST_STATE=1 \
    STATE_DIR=/var/lib/emulator/state \
    S3_PERSIST=1 \
    S3_DATA_DIR=/var/lib/emulator/s3 \
    SFTP_ENABLED=0 \
    IOT_MTLS_ENABLED=0
USER 10002:10002
WORKDIR /var/lib/emulator
VOLUME /var/lib/emulator
EXPOSE 4566
LABEL org.opencontainers.image.title="sellersync emulator" \
      org.opencontainers.image.description="AWS emulator for local runs of sellersync; not for production"
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=10 \
    CMD ["python", "-S", "/opt/healthcheck.py", "/_ministack/health"]
CMD ["python", "-m", "ministack"]
