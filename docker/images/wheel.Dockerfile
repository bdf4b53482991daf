# The wheel of a system and the source package, in /packages, and in /httpd an httpd of another build to try it with. TOOLS is the stage of that
# name of docker/Dockerfile, which has the toolchain.
ARG TOOLS
FROM ${TOOLS}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv && \
    apt-get clean && rm -rf /var/lib/apt/lists/*
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m venv /venv && /venv/bin/pip install --quiet build 'hatchling>=1.24'
WORKDIR /build/mod_python
COPY . .
# The tag says which C library it takes: that of this release or a later one. It is for any httpd 2.4, whose interface is stable.
RUN MOD_PYTHON_PLATFORM_TAG=manylinux_$(ldd --version | sed -nE '1s/.* ([0-9]+)\.([0-9]+)$/\1_\2/p')_$(uname -m) \
        /venv/bin/python -m build --no-isolation --outdir /packages && ls /packages
