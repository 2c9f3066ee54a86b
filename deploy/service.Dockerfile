# One image per service, from one file:
#   docker build -f deploy/service.Dockerfile --build-arg SERVICE=ingest -t sellersync/ingest .
# It holds the locked dependencies of that service's extra, its folder and shared; no package installer, no compiler.

# Both stages start from the same image, because the venv's interpreter is a link into it.
FROM python:3.11-slim-bookworm AS base

FROM base AS builder
ENV UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_CACHE_DIR=/var/cache/uv \
    PIP_CACHE_DIR=/var/cache/pip
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --root-user-action=ignore uv==0.13.9
WORKDIR /app
# The lock before the source: as long as it stands, the dependencies' layer is reused.
COPY pyproject.toml uv.lock ./
ARG SERVICE
RUN --mount=type=cache,target=/var/cache/uv \
    uv sync --frozen --no-dev --python "$(command -v python)" --extra "${SERVICE:?say which with --build-arg SERVICE=...}"
COPY shared/ shared/
COPY services/__init__.py services/
COPY services/${SERVICE}/ services/${SERVICE}/
# The file system is read-only at run time, so the bytecode is written here.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash shared services

FROM base AS app
# A service installs nothing while it runs, so the base image's installers go too.
RUN find / -xdev -path '*-packages/*' -prune \
      \( -name 'pip' -o -name 'pip-*' -o -name 'setuptools' -o -name 'setuptools-*' -o -name 'wheel' -o -name 'wheel-*' \) \
      -exec rm -rf {} + \
    && find /usr/bin /usr/local/bin -name 'pip*' -delete \
    && groupadd --system --gid 10001 sellersync \
    && useradd --system --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin sellersync \
    # The one place to write to, besides /tmp: files in work. A volume mounted here takes over its owner.
    && install -d -o sellersync -g sellersync -m 0700 /var/lib/sellersync
WORKDIR /app
COPY deploy/healthcheck.py ./
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app/shared shared
COPY --from=builder /app/services services
ARG SERVICE
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SERVICE=${SERVICE} \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001

# Prepares the stores of the compose stack: the aggregator's image (its migrations) and the deployment's files.
#   docker build -f deploy/service.Dockerfile --build-arg SERVICE=aggregator --target bootstrap .
FROM app AS bootstrap
COPY deploy/ deploy/
CMD ["python", "-m", "deploy.compose.bootstrap"]

# The last stage is what a build without --target makes.
FROM app AS service
ARG SERVICE
LABEL org.opencontainers.image.title="sellersync ${SERVICE}" \
      org.opencontainers.image.description="The ${SERVICE} service of sellersync" \
      org.opencontainers.image.licenses="Apache-2.0"
EXPOSE 8000
# Alive, not ready: an orchestrator may restart on this, and a restart does not bring a database back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-S", "healthcheck.py", "/health/live"]
# exec: python becomes process 1 and gets SIGTERM itself.
CMD ["sh", "-c", "exec python -m services.$SERVICE"]
