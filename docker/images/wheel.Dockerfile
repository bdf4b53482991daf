# The wheel of a system and the source package, in /made. TOOLS is the stage of that name of docker/Dockerfile, which has the toolchain.
ARG TOOLS
FROM ${TOOLS}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv && \
    apt-get clean && rm -rf /var/lib/apt/lists/*
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
COPY docker/images/wheel-builder.txt /wheel-builder.txt
RUN python3 -m venv /venv && /venv/bin/pip install --quiet --disable-pip-version-check -r /wheel-builder.txt
WORKDIR /crates
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && touch src/lib.rs && cargo fetch --locked --quiet
# Another one is another build, in another folder: docker/release --check compares them.
ARG BUILD=1
WORKDIR /build/${BUILD}/source
COPY Cargo.toml Cargo.lock build.rs wrapper.h hatch_build.py pyproject.toml LICENSE NOTICE README.md ./
COPY include/ include/
COPY src/ src/
COPY python/ python/
RUN /venv/bin/python -m build --sdist --no-isolation --outdir /made
# The wheel comes from the source package, as pip makes one. Its tag says which C library it takes: that of this release or a later one. It is for any
# httpd 2.4, whose interface is stable. No path of the build ends up in it, not even by way of what debuggers read: the build ID is a checksum of that too.
WORKDIR /build/${BUILD}/wheel
ENV RUSTFLAGS="--remap-path-prefix=/build/${BUILD}/wheel=/usr/src/mod_python --remap-path-prefix=/cargo=/usr/src/cargo" \
    CFLAGS="-ffile-prefix-map=/build/${BUILD}/wheel=/usr/src/mod_python"
RUN tar -xzf /made/*.tar.gz --strip-components 1 && cargo build --release --locked
RUN MOD_PYTHON_PLATFORM_TAG=manylinux_$(ldd --version | sed -nE '1s/.* ([0-9]+)\.([0-9]+)$/\1_\2/p')_$(uname -m) \
        /venv/bin/python -m build --wheel --no-isolation --outdir /made && ls /made
