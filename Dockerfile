# One image for every process of Seatkeeper, and for the look-alike of Asana that a trial run needs.
# Compilers and package installers stay in the first stage; what runs is Python, the locked packages and our modules.

FROM python:3.13-slim AS builder
WORKDIR /app
COPY requirements-server.lock ./
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary=:all: --requirement requirements-server.lock
COPY settings.py schema.sql ./
COPY messages/ messages/
COPY rules/ rules/
COPY store/ store/
COPY asana_api/ asana_api/
COPY connections/ connections/
COPY sources/ sources/
COPY workers/ workers/
COPY console/ console/
COPY sandbox/__init__.py sandbox/
COPY sandbox/asana/ sandbox/asana/
# Compiled here, because nothing can be written where it runs.
RUN /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash . && rm requirements-server.lock

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Seatkeeper" \
      org.opencontainers.image.description="Event-driven seat reclamation for Asana" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=builder /venv /venv
COPY --from=builder /app /app
# A number, so that an orchestrator can see that it is not root; no such user exists anywhere.
USER 10001:10001
STOPSIGNAL SIGTERM
# Exec form: signals reach Python. `docker run IMAGE workers.relay` is `python -m workers.relay`.
ENTRYPOINT ["python", "-m"]
CMD ["console", "--help"]
