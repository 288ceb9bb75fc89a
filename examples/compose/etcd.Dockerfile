# etcd for this example: one member, no TLS, data lost with the container. Not for production.
# BASE: Debian 12 or later; an installed etcd is used as it is.
ARG BASE=debian:stable-slim
FROM ${BASE}
RUN if ! command -v etcd || ! command -v etcdctl; then \
      apt-get update && \
      apt-get install -y --no-install-recommends etcd-server etcd-client && \
      rm -rf /var/lib/apt/lists/*; \
    fi
ENV ETCDCTL_API=3
ENTRYPOINT ["etcd", "--data-dir=/tmp/etcd", "--listen-client-urls=http://0.0.0.0:2379", "--advertise-client-urls=http://etcd:2379"]
