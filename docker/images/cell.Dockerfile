# What a cell runs in: the image to deploy with mpm_itk (IMAGE), and the test programs (TESTS).
ARG TESTS
ARG IMAGE
FROM ${TESTS} AS tests
FROM ${IMAGE}
COPY --from=tests /tests/ /tests/
