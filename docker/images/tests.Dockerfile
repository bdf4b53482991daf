# The integration tests as a program, /tests/suite. It drives an httpd over sockets and links nothing of the module, so that linked
# on the oldest system it runs on all of them. DEPENDENCIES is the stage of that name of docker/Dockerfile.
ARG DEPENDENCIES
FROM ${DEPENDENCIES}
# What the tests depend on is compiled before there is a test.
RUN mkdir -p tests && touch tests/none.rs && \
    cargo test --no-run --locked --features itk-tests --test none --config 'profile.dev.debug=false' --config 'profile.dev.opt-level=1'
COPY tests/ tests/
# Some serve the manual's examples.
COPY docs/ docs/
RUN cargo test --no-run --locked --offline --features itk-tests --test suite --config 'profile.dev.debug=false' --config 'profile.dev.opt-level=1' --config 'profile.dev.strip=true' \
        --message-format=json >/tests.json && \
    mkdir /tests && mv "$(sed -nE 's/.*"executable":"([^"]*)".*/\1/p' /tests.json)" /tests/suite && rm -rf target/debug /tests.json
