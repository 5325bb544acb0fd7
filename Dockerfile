# One image for all services; the command says which: `python -m services.wallet`.
FROM python:3.12-slim AS build

WORKDIR /opt/tollgate
RUN python -m venv .venv
COPY requirements.lock .
RUN .venv/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock
COPY libs libs
COPY services services
COPY protos/gen protos/gen
# The services run on a read-only root, where Python cannot keep what it compiles.
RUN python -m compileall -q libs services protos/gen


FROM python:3.12-slim

RUN useradd --system --uid 10001 --user-group --no-create-home tollgate
COPY --from=build /opt/tollgate /opt/tollgate
ENV PATH=/opt/tollgate/.venv/bin:$PATH \
    PYTHONPATH=/opt/tollgate:/opt/tollgate/protos/gen \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/tollgate
USER 10001:10001
