# The two images of calltest: --target controller, --target agent. `dev/images build` prepares the context and builds
# them: build/<target>.txt is exported from uv.lock with its hashes, build/pjsua2/ holds the wheel of dev/pjsua2/build,
# build/kernel/ the shared object of dev/kernel/build.
# A secret `ca`, if given, is the certificate bundle for downloads; it does not end up in any layer.
ARG BASE=docker.io/library/debian:trixie-slim

FROM ${BASE} AS python
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3 ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
# Nothing is written at run time: modules are compiled below, the root file system is read-only.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 PYTHONPATH=/opt/calltest/lib:/opt/calltest
WORKDIR /opt/calltest

FROM python AS pip
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-pip

# kubernetes/aio is the client once more, for asyncio, which nothing here imports: 64 MB with its bytecode.
FROM pip AS controller-dependencies
COPY build/controller.txt /build/
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python3 -m pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --no-compile \
        --target /opt/calltest/lib --requirement /build/controller.txt \
 && rm -rf /opt/calltest/lib/bin /opt/calltest/lib/kubernetes/aio \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/calltest/lib

FROM pip AS agent-dependencies
COPY build/agent.txt /build/
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python3 -m pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --no-compile \
        --target /opt/calltest/lib --requirement /build/agent.txt \
 && find /opt/calltest/lib -type d -name tests -prune -exec rm -rf {} + \
 && rm -rf /opt/calltest/lib/bin
COPY build/pjsua2/ /build/pjsua2/
RUN python3 -m pip install --no-cache-dir --no-index --no-deps --no-compile --target /opt/calltest/lib /build/pjsua2/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/calltest/lib

FROM python AS controller
COPY --from=controller-dependencies /opt/calltest/lib /opt/calltest/lib
COPY agent/__init__.py agent/
COPY agent/contract agent/contract
COPY agent/judge agent/judge
COPY agent/sip agent/sip
COPY controller controller
RUN python3 -m compileall -q --invalidation-mode unchecked-hash agent controller && python3 -m controller --help >/dev/null
USER 10001:10001
ENTRYPOINT ["python3", "-m", "controller"]

FROM python AS agent
COPY build/agent-packages /build/
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $(cat /build/agent-packages) \
 && rm -rf /build /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
COPY --from=agent-dependencies /opt/calltest/lib /opt/calltest/lib
COPY build/kernel/ /opt/calltest/lib/
COPY agent agent
RUN python3 -m compileall -q --invalidation-mode unchecked-hash agent && python3 -m agent --help >/dev/null \
 && python3 -c "import pjsua2; from agent.tap import Tap; Tap()" \
 && python3 -c "from agent.trace.kernel import kernel; kernel()"
USER 10001:10001
ENTRYPOINT ["python3", "-m", "agent"]
