# What docker/release says about the crates and the packages: /program/reports, when a container of it runs. TOOLS is the stage of that name of
# docker/Dockerfile, which has the toolchain.
ARG TOOLS
FROM ${TOOLS}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv git && \
    apt-get clean && rm -rf /var/lib/apt/lists/*
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m venv /audit && /audit/bin/pip install --quiet --disable-pip-version-check pip-audit
# They are compiled for one run of some seconds: not optimised, which takes most of the time. The versions are those that Rust 1.85 builds.
RUN cargo install --locked --quiet --debug --root /usr/local cargo-cyclonedx@0.5.9
RUN cargo install --locked --quiet --debug --root /usr/local cargo-deny@0.18.3
WORKDIR /src
COPY Cargo.toml Cargo.lock deny.toml ./
RUN mkdir src && touch src/lib.rs && cargo fetch --locked --quiet
COPY docker/images/wheel-builder.txt ./
COPY docker/image/release/ /program/
ENTRYPOINT ["/program/reports"]
