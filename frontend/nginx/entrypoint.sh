#!/bin/sh
# Finds out what the templates need to know, then starts Nginx as its image does.
set -eu

fail() {
  echo "$*" >&2
  exit 1
}

host='([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])'
echo "$ETL_SERVICE_URL" | grep -Eqx "https?://$host(:[0-9]+)?/?" ||
  fail "ETL_SERVICE_URL is '$ETL_SERVICE_URL'; make it where the service listens, such as http://service:8000"
ETL_SERVICE_URL=${ETL_SERVICE_URL%/}

# Nginx asks name servers by itself and does not read resolv.conf: it has to be told who they are ...
if [ -z "${NGINX_LOCAL_RESOLVERS:-}" ]; then
  NGINX_LOCAL_RESOLVERS=$(awk '$1 == "nameserver" { print $2 ~ /:/ ? "[" $2 "]" : $2 }' /etc/resolv.conf | paste -sd ' ')
fi

# ... and what makes the short name of a Service whole in Kubernetes, where the namespace's domain is searched first.
namespace=$(awk '$1 == "search" && $2 ~ /\.svc\./ { print $2 }' /etc/resolv.conf)
if [ -n "$namespace" ]; then
  ETL_SERVICE_URL=$(echo "$ETL_SERVICE_URL" | sed -E "s,^(https?://[A-Za-z0-9-]+)(:[0-9]+)?$,\1.$namespace\2,")
fi

# The image's entrypoint goes on without it, to serve nothing at all.
[ -w /etc/nginx/conf.d ] ||
  fail "/etc/nginx/conf.d is not writable; where the root is read-only, mount a tmpfs (uid=101) or an emptyDir there and at /tmp"

export ETL_SERVICE_URL NGINX_LOCAL_RESOLVERS
exec /docker-entrypoint.sh "$@"
