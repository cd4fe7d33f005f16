# All images of the project, one target each: `make images`, or `docker build --target service .`.
# Other bases, from a mirror for instance, are arguments: `make images PYTHON_IMAGE=...`.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG NGINX_IMAGE=nginxinc/nginx-unprivileged:1.28-bookworm
ARG NODE_IMAGE=node:22-bookworm-slim


# The files of the page, as both the service and Nginx serve them.
FROM ${NGINX_IMAGE} AS page
USER 0
WORKDIR /page
COPY frontend/*.html frontend/*.css frontend/*.svg ./
COPY frontend/js js
# Nginx makes an ETag of time and size: a file that changed in this build must not have the time of the last one.
RUN chmod -R a+rX,go-w . && find . -type f -exec touch {} +
USER 101:101


FROM ${PYTHON_IMAGE} AS service-build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# What is shipped is an environment without pip; what builds it is another one.
RUN python -m venv /opt/build && python -m venv --without-pip /opt/etl
WORKDIR /src
COPY requirements requirements
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/build/bin/python -m pip install --quiet --require-hashes -r requirements/build.txt && \
    /opt/build/bin/python -m pip --python /opt/etl/bin/python install --quiet --no-compile --require-hashes \
      -r requirements/run.txt
COPY LICENSE README.md pyproject.toml ./
COPY service service
COPY --from=page /page frontend
# Bytecode that is not compared with its source: the root may be read-only, and times do not matter.
RUN /opt/build/bin/python -m hatchling build --target wheel --directory /dist && \
    /opt/build/bin/python -m pip --python /opt/etl/bin/python install --quiet --no-compile --no-deps --no-index /dist/*.whl && \
    python -m compileall -q --invalidation-mode unchecked-hash /opt/etl/lib


FROM ${PYTHON_IMAGE} AS service
RUN groupadd --gid 65532 etl && \
    useradd --uid 65532 --gid etl --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin etl && \
    install --directory --owner etl --group etl /data
COPY --from=service-build /opt/etl /opt/etl
WORKDIR /etl
COPY --chmod=644 pipelines/sample.yaml pipelines/
# SQLite sorts what is large in a file, and /tmp may be memory.
ENV PATH=/opt/etl/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SQLITE_TMPDIR=/data \
    ETL_ALLOWED_SOURCES=public \
    ETL_HOST=0.0.0.0 \
    ETL_PORT=8000 \
    ETL_DATABASE=/data/etl.db \
    ETL_PIPELINE=pipelines/sample.yaml
USER 65532:65532
EXPOSE 8000
VOLUME /data
# Nothing is imported that a socket does not need: it is asked every few seconds, for years.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["python", "-IS", "-c", "\
import os, socket; \
service = socket.create_connection(('127.0.0.1', int(os.environ['ETL_PORT'])), timeout=4); \
service.sendall(b'GET /ready HTTP/1.0\\r\\n\\r\\n'); \
assert service.recv(12).endswith(b' 200'), 'not ready'"]
ENTRYPOINT ["etl"]
CMD ["serve"]
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="EtlPipeline service" \
      org.opencontainers.image.description="Runs a pipeline from a REST API to a SQL table, and serves its rows and its history" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


FROM ${PYTHON_IMAGE} AS operator-build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/build && python -m venv --without-pip /opt/etl
WORKDIR /src
COPY requirements requirements
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/build/bin/python -m pip install --quiet --require-hashes -r requirements/build.txt && \
    /opt/build/bin/python -m pip --python /opt/etl/bin/python install --quiet --no-compile --require-hashes \
      -r requirements/operator.txt
# Of the service it needs what a pipeline's document may say, and nothing that runs one.
COPY service/etl_service/__init__.py service/etl_service/errors.py service/etl_service/py.typed /opt/etl/lib/python3.11/site-packages/etl_service/
COPY service/etl_service/spec /opt/etl/lib/python3.11/site-packages/etl_service/spec
COPY operator/etl_operator /opt/etl/lib/python3.11/site-packages/etl_operator
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/etl/lib


FROM ${PYTHON_IMAGE} AS operator
RUN groupadd --gid 65532 etl && \
    useradd --uid 65532 --gid etl --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin etl
COPY --from=operator-build /opt/etl /opt/etl
ENV PATH=/opt/etl/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "etl_operator"]
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="EtlPipeline operator" \
      org.opencontainers.image.description="Keeps EtlPipeline resources running on a Kubernetes cluster" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


FROM ${NGINX_IMAGE} AS frontend
USER 0
# Nothing that the base serves is left, and what its entrypoint changes at its start is mounted where it matters.
RUN rm -rf /etc/nginx/conf.d/* /usr/share/nginx/html/*
COPY --chmod=755 frontend/nginx/entrypoint.sh /etl-entrypoint.sh
COPY --chmod=644 frontend/nginx/nginx.conf frontend/nginx/headers.conf /etc/nginx/
COPY --chmod=644 frontend/nginx/templates/*.template /etc/nginx/templates/
COPY --chmod=644 frontend/nginx/errors/*.* /etc/nginx/errors/
COPY --from=page /page /usr/share/nginx/html
USER 101:101
ENV ETL_SERVICE_URL=http://service:8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["curl", "--noproxy", "*", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["/etl-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="EtlPipeline frontend" \
      org.opencontainers.image.description="Serves the page of a pipeline, and passes /api on to its service" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


# jsonplaceholder as its authors publish it: a source to read from where there is no internet.
FROM ${NODE_IMAGE} AS sample-api
WORKDIR /sample-api
COPY tests/sources/package.json tests/sources/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --loglevel error
USER 65532:65532
ENV NODE_ENV=production PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/posts/1').then(({ok}) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "node_modules/jsonplaceholder"]
