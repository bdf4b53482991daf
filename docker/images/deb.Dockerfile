# The Debian packages of a system, in /packages. TOOLS is the stage of that name of docker/Dockerfile, which has the toolchain.
ARG TOOLS
FROM ${TOOLS}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        debhelper dh-python dpkg-dev fakeroot lintian python3-setuptools && apt-get clean && rm -rf /var/lib/apt/lists/*
# The crates are part of the sources: a package is built without a network.
WORKDIR /build/libapache2-mod-python
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src debian && touch src/lib.rs && cargo vendor --locked --quiet debian/vendor >/dev/null
COPY . .
# What debian/control asks for is there, and nothing that it does not ask for is missed.
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get build-dep -y --no-install-recommends ./ && rm -rf /var/lib/apt/lists/*
# All files of the context have the same old date: make takes them as they are.
RUN dpkg-buildpackage --build=binary --no-sign
RUN lintian --fail-on error,warning --info ../*.changes
RUN mkdir /packages && mv ../*.deb ../*.ddeb ../*.buildinfo ../*.changes /packages/ 2>/dev/null || true; ls /packages/*.deb
