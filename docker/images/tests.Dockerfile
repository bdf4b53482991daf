# The integration tests as programs, in /tests. They drive an httpd over sockets and link nothing of the module, so those linked
# on the oldest system run on all of them. DEPENDENCIES is the stage of that name of docker/Dockerfile. Left out are `safety`,
# `messages` and `coverage`, which check the sources, `examples` and `stubs`, which read them, and `comparison`, which needs mod_python 3.5.
ARG DEPENDENCIES
FROM ${DEPENDENCIES}
# What the tests depend on is compiled before there is a test.
RUN touch tests/none.rs && cargo test --no-run --locked --features itk-tests --test none --config 'profile.dev.debug=false' --config 'profile.dev.opt-level=1'
COPY tests/ tests/
# Some serve the manual's examples.
COPY docs/ docs/
RUN mkdir /tests && \
    cargo test --no-run --locked --offline --features itk-tests --test '*' --config 'profile.dev.debug=false' --config 'profile.dev.opt-level=1' --config 'profile.dev.strip=true' \
        --message-format=json >/tests.json && \
    sed -nE 's/.*"executable":"([^"]*)".*/\1/p' /tests.json | \
    while read -r program; do name=${program##*/}; mv "$program" "/tests/${name%-*}"; done && \
    cd /tests && rm -f none safety messages coverage examples stubs comparison && cd - && rm -rf target/debug /tests.json
