# One image for every process of the platform and for the customer's signer; the command says which.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY domain/package.json domain/
COPY wire/package.json wire/
COPY client/package.json client/
COPY signer/package.json signer/
COPY local/patch-postgres.mjs local/
RUN npm ci --no-fund --no-audit
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node /var/lib/keyturn /var/lib/keyturn-witness
WORKDIR /app
COPY --from=build --chown=root:root /app /app
ENV NODE_ENV=production
USER node
# tini passes signals on and reaps children: the first process of a container does neither by itself.
ENTRYPOINT ["tini", "--", "node", "--import", "tsx"]
CMD ["api/main.ts"]
