# The processor and nothing else. `make image` compiles it and lays out bin/image; no base image is needed.
FROM scratch
COPY --chown=65532:65532 bin/image/ /
USER 65532:65532
VOLUME /var/lib/leat
ENTRYPOINT ["/processor"]
