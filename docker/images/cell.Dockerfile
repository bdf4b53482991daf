# A cell: the image to deploy, and what drives it.
ARG TESTS
ARG EXTRAS
ARG IMAGE
FROM ${TESTS} AS tests
FROM ${EXTRAS} AS extras
FROM ${IMAGE}
COPY --from=extras /extras/usr/lib/apache2/modules/ /usr/lib/apache2/modules/
COPY --from=tests /tests/ /tests/
