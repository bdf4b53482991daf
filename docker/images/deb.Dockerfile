# The Debian packages of a system, in /made. TOOLS is the stage of that name of docker/Dockerfile, which has the toolchain.
ARG TOOLS
FROM ${TOOLS}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        debhelper dh-python dpkg-dev fakeroot lintian python3-setuptools && apt-get clean && rm -rf /var/lib/apt/lists/*
# The crates are part of the sources: a package is built without a network.
WORKDIR /vendor
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && touch src/lib.rs && cargo vendor --locked --quiet crates >/dev/null
# Another one is another build, in another folder: docker/release --check compares them.
ARG BUILD=1
WORKDIR /build/${BUILD}/libapache2-mod-python
COPY debian/changelog debian/control debian/rules debian/
RUN cp -r /vendor/crates debian/vendor
# What debian/control asks for is there, and nothing that it does not ask for is missed.
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get build-dep -y --no-install-recommends ./ && rm -rf /var/lib/apt/lists/*
# As in docker/Dockerfile: first the crates, with a stand-in for the module, then the module; a change of what is packed beside it builds neither
# again. It is the package's own build each time, whose stamp would tell the next one that all is done.
COPY Cargo.toml Cargo.lock build.rs wrapper.h ./
COPY src/ffi/*.c src/ffi/*.h src/ffi/
RUN mkdir -p python/mod_python && touch src/lib.rs && \
    DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage --no-pre-clean --target=build --no-sign && rm debian/debhelper-build-stamp
COPY include/ include/
COPY python/ python/
COPY src/ src/
RUN touch build.rs src/lib.rs && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage --no-pre-clean --target=build --no-sign && rm debian/debhelper-build-stamp
COPY LICENSE NOTICE README.md SECURITY.md ./
COPY debian/ debian/
COPY docs/ docs/
# All files of the context have the same old date: make takes them as they are. What is only compared is not tested again.
RUN DEB_BUILD_OPTIONS=$([ "$BUILD" = 1 ] || echo nocheck) dpkg-buildpackage --no-pre-clean --build=binary --no-sign
RUN [ "$BUILD" != 1 ] || lintian --fail-on error,warning --info ../*.changes
RUN mkdir /made && cd .. && for file in *.deb *.ddeb *.buildinfo *.changes; do [ ! -f "$file" ] || mv "$file" /made/; done && ls /made/*.deb
