# The image to deploy with mpm_itk, for the cells that need it. TOOLS is the stage of that name of docker/Dockerfile: the package is
# unpacked there with the library that it needs, without those that it wants and a container does not.
ARG TOOLS
ARG IMAGE
FROM ${TOOLS} AS tools
RUN apt-get update && mkdir /itk && cd /itk && apt-get download libapache2-mpm-itk libcap2 && \
    for package in *.deb; do dpkg-deb -x "$package" /itk; done && \
    if [ -d lib ]; then cp -a lib/. usr/lib/; fi && rm -rf ./*.deb /var/lib/apt/lists/*
FROM ${IMAGE}
COPY --from=tools /itk/usr/lib/ /usr/lib/
