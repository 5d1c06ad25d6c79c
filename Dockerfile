# Parley: one image for every service, the operator, the migrations and the client.
# The page and the program are built before: npm run build, npm run bundle. k8s/kind/image TAG does all three.

FROM node:24-bookworm-slim AS dependencies
WORKDIR /parley
# Only what says which packages are needed, so that a change of source does not install them again.
COPY package.json package-lock.json .npmrc ./
COPY proto/package.json proto/
COPY operator/package.json operator/
COPY services/chat/package.json services/chat/
COPY services/client/package.json services/client/
COPY services/discovery/package.json services/discovery/
COPY services/gateway/package.json services/gateway/
COPY services/kit/package.json services/kit/
COPY services/order/package.json services/order/
COPY services/payment/package.json services/payment/
COPY services/platform/package.json services/platform/
COPY services/user/package.json services/user/
COPY services/web/package.json services/web/
# What the platform needs, and it only: not the root's tools, and not the `node` that the base image is. Type declarations
# and source maps are a third of the packages, and of no use here. The bundle has most of the packages inside: of those in
# `kept` it lacks what is not JavaScript alone, or read as a file.
RUN npm ci --workspace @parley/platform --omit dev --ignore-scripts \
 && rm -rf node_modules/@types node_modules/.package-lock.json \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
 && mkdir kept && cd node_modules \
 && cp -r --parents @electric-sql @node-rs grpc-health-check/proto @grpc/reflection/build/proto ../kept

FROM node:24-bookworm-slim
WORKDIR /parley
# What a message needs lives some milliseconds: in a young generation of 32 MiB it dies there, and costs a fifth less.
ENV PARLEY_PROGRAM=/parley/services/platform/dist/main.js
RUN printf '#!/bin/sh\nexec node --max-semi-space-size=32 "$PARLEY_PROGRAM" "$@"\n' >/usr/local/bin/parley \
 && chmod 0755 /usr/local/bin/parley \
 && install -d -o 1000 -g 1000 /parley/.compiled
# All of them, PACKAGES=node_modules, are for who runs the source instead: charts/tilt.
ARG PACKAGES=kept
COPY --from=dependencies /parley/$PACKAGES node_modules
COPY . .
USER 1000:1000
ENV NODE_ENV=production NODE_COMPILE_CACHE=/parley/.compiled
# Loads every module once, which shows that each can be loaded, and keeps what V8 made of them for a faster start. The
# cache is for this user alone, and for these flags alone.
RUN ["node", "--max-semi-space-size=32", "services/platform/dist/warm.js"]
EXPOSE 8080 50051 9090
ENTRYPOINT ["parley"]
CMD ["--help"]
