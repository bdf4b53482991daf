# What a cell runs in: the image to deploy with mpm_itk (IMAGE), the test program (TESTS), and what it uses of the system. TOOLS is the
# stage of that name of docker/Dockerfile: there the modules in C are built, and the clients unpacked, whose libraries httpd has brought.
ARG TESTS
ARG TOOLS
ARG IMAGE
FROM ${TESTS} AS tests
FROM ${TOOLS} AS used
RUN apt-get update && mkdir /clients && cd /clients && apt-get download curl openssl && \
    for package in *.deb; do dpkg-deb -x "$package" /clients; done && rm -rf ./*.deb /var/lib/apt/lists/*
COPY include/ /src/include/
COPY tests/suite/exports/mod_caller.c tests/suite/filters/c/mod_reader.c /src/
RUN cd /src && mkdir /modules && \
    includes="-isystem $(apxs -q includedir) $(apr-config --includes) $("$PYO3_PYTHON" -c 'import sysconfig; print("-isystem", sysconfig.get_path("include"))')" && \
    for name in mod_caller mod_reader; do cc -shared -fPIC -pthread -Wall $includes -I include "$name.c" -o "/modules/$name.so"; done
RUN mkdir -p /add/usr/bin /add/usr/lib /add/etc/ssl && cd /clients && cp usr/bin/curl usr/bin/openssl /add/usr/bin/ && \
    cp -a usr/lib/ssl /add/usr/lib/ && cp etc/ssl/openssl.cnf /add/etc/ssl/ && cp -a /modules /add/
COPY --from=tests /tests/ /add/tests/

# One layer on top of an image that is new whenever the module is.
FROM ${IMAGE}
COPY --from=used /add/ /
