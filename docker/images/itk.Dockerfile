# The image to deploy with mpm_itk, for the cells that need it. TOOLS is the stage of that name of docker/Dockerfile: the package is
# unpacked there, without those that it wants and a container does not.
ARG TOOLS
ARG IMAGE
FROM ${TOOLS} AS tools
RUN apt-get update && cd /tmp && apt-get download libapache2-mpm-itk && dpkg-deb -x libapache2-mpm-itk_*.deb /itk && \
    rm -rf /tmp/*.deb /var/lib/apt/lists/*
FROM ${IMAGE}
COPY --from=tools /itk/usr/lib/apache2/modules/ /usr/lib/apache2/modules/
