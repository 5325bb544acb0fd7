# One image for all services; the command says which: `python -m services.wallet`.
FROM python:3.12.14-slim-trixie@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea AS python


FROM python AS build

WORKDIR /opt/tollgate
RUN python -m venv --without-pip .venv
COPY requirements.lock .
# Wheels only: what builds one would be fetched as well, and no hash pins it.
RUN python -m pip --python .venv/bin/python install --no-cache-dir \
    --no-deps --require-hashes --only-binary :all: --requirement requirements.lock
COPY libs libs
COPY services services
COPY preflight preflight
COPY protos/gen protos/gen
# The services run on a read-only root, where Python cannot keep what it compiles.
RUN python -m compileall -q libs services preflight protos/gen


FROM python

RUN useradd --system --uid 10001 --user-group --no-create-home tollgate \
    # Whoever gets in shall find nothing that installs packages.
    && rm -r /usr/local/bin/pip* /usr/local/lib/python3.*/ensurepip /usr/local/lib/python3.*/site-packages/*
COPY --from=build /opt/tollgate /opt/tollgate
ENV PATH=/opt/tollgate/.venv/bin:$PATH \
    PYTHONPATH=/opt/tollgate:/opt/tollgate/protos/gen \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/tollgate
USER 10001:10001
