# What the cells of a system need beside the image: mpm_itk, without the packages that it wants and a container does not.
# TOOLS is the stage of that name of docker/Dockerfile.
ARG TOOLS
FROM ${TOOLS}
RUN apt-get update && cd /tmp && apt-get download libapache2-mpm-itk && dpkg-deb -x libapache2-mpm-itk_*.deb /extras && \
    rm -rf /tmp/*.deb /var/lib/apt/lists/*
