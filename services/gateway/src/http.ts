/** The HTTP server: limits, request ids, who calls, and every error as a problem document. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import {
  AppError,
  addressOf,
  bearer,
  type Caller,
  guest,
  type Logger,
  type Metrics,
  type SettingsOf,
  type TokenVerifier,
} from '@parley/kit';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { readJson } from './json/body.ts';
import { notAllowed } from './not-allowed.ts';
import { checkOrigin, corsHeaders } from './origin.ts';
import { fromHttpLibrary, HttpError, problemOf, retryAfterSeconds } from './problem.ts';
import type { gatewaySettings } from './settings.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    /** The token he came with. */
    token: string | undefined;
    /** Why his token is no good. */
    refused: unknown;
    /** The route as metrics name it, where that of the HTTP library says too little. */
    label: string | undefined;
  }
}

export interface HttpSettings {
  settings: SettingsOf<typeof gatewaySettings>;
  verifier: TokenVerifier;
  log: Logger;
  metrics: Metrics;
}

export const largestBody = 1024 * 1024;
const largestHeaders = 16 * 1024;

export async function createHttp({ settings, verifier, log, metrics }: HttpSettings): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: largestBody,
    // No parameter is too long for its route: what reads it says what it may be.
    routerOptions: { maxParamLength: largestHeaders },
    trustProxy: settings.trustedProxies.length > 0 ? settings.trustedProxies : false,
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    requestTimeout: 60_000,
    keepAliveTimeout: 75_000,
    http: {
      maxHeaderSize: largestHeaders,
      headersTimeout: 15_000,
      shouldUpgradeCallback: isUpgrade,
    },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply, log),
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket),
  });
  app.server.maxConnections = settings.connections;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
    readJson(body),
  );
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log));
  recognise(app, verifier);
  observe(app, log, metrics);
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: contentSecurityPolicy },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
  });
  app.addHook('onRequest', async ({ headers }, reply) => {
    void reply.headers(corsHeaders(headers.origin, settings.allowedOrigins));
  });
  await limit(app, settings);
  app.addHook('onRequest', async (request) => {
    if (request.refused) throw request.refused;
    if (request.method !== 'GET' || isUpgrade(request)) {
      checkOrigin(request.headers.origin, request.host, settings.allowedOrigins);
    }
  });
  app.options('/v1/*', (_request, reply) => reply.code(204).send());
  app.setNotFoundHandler((request, reply) => {
    const url = request.url.replace(/\?.*/s, '');
    if (url !== '*' && app.hasRoute({ url, method: 'GET' })) throw notAllowed(request, reply, ['GET', 'HEAD']);
    throw new AppError('NOT_FOUND', 'there is nothing at this path; /docs shows what there is');
  });
  return app;
}

/** Nothing runs but what we serve ourselves, and nobody may frame us. */
const contentSecurityPolicy = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'manifest-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Any other protocol is only offered, as Java's client and curl offer h2c: we go on in HTTP/1.1 (RFC 9110 §7.8). */
function isUpgrade({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.:/+=-]{1,128}$/.test(given) ? given : randomUUID();
}

/** Verifies the token once for all. A bad one is refused after it was counted, since verifying is work too. */
function recognise(app: FastifyInstance, verifier: TokenVerifier): void {
  app.decorateRequest('caller');
  app.decorateRequest('token');
  app.decorateRequest('refused');
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
    request.caller = guest;
    try {
      request.token = bearer(request.headers.authorization);
      if (request.token !== undefined) request.caller = verifier.verify(request.token);
    } catch (error) {
      request.refused = error;
    }
  });
}

function observe(app: FastifyInstance, log: Logger, metrics: Metrics): void {
  const handled = metrics.counter('http_requests_total', 'HTTP requests answered.', ['method', 'route', 'status']);
  const seconds = metrics.histogram('http_request_duration_seconds', 'Seconds that HTTP requests took.', [
    'method',
    'route',
  ]);
  app.decorateRequest('label');
  const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
  app.addHook('onResponse', async (request, reply) => {
    const method = methods.has(request.method) ? request.method : 'other';
    const route = request.label ?? request.routeOptions.url ?? 'none';
    handled.inc({ method, route, status: reply.statusCode });
    seconds.observe({ method, route }, reply.elapsedTime / 1000);
    const userId = request.caller?.kind === 'user' ? request.caller.userId : undefined;
    const durationMs = Math.round(reply.elapsedTime * 1e3) / 1e3;
    // An upgrade that was refused: nobody reads from the connection any more, so nobody would notice its end.
    if (isUpgrade(request) && !request.ws) request.raw.socket.destroySoon();
    log.info({ method, route, status: reply.statusCode, durationMs, requestId: request.id, userId }, 'http.handled');
  });
}

/** Every request counts, also one that is refused for its token or its origin in the next hook, or that has no route. */
async function limit(app: FastifyInstance, settings: HttpSettings['settings']): Promise<void> {
  const isSignIn = (request: FastifyRequest) => request.url.startsWith('/v1/auth/');
  await app.register(rateLimit, {
    global: false,
    timeWindow: 60_000,
    cache: 20_000,
    max: (request) => (isSignIn(request) ? settings.signInsPerMinute : settings.requestsPerMinute),
    keyGenerator: (request) => {
      if (isSignIn(request)) return `sign-in ${addressOf(request.ip)}`;
      return request.caller.kind === 'user' ? `user ${request.caller.userId}` : addressOf(request.ip);
    },
    errorResponseBuilder: (_request, { max, ttl }) =>
      new AppError('RESOURCE_EXHAUSTED', `more than ${max} requests in a minute: wait and try again`, {
        retryAfterMs: ttl,
      }),
  });
  app.addHook('onRequest', app.rateLimit());
}

function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): FastifyReply {
  const error = fromHttpLibrary(thrown);
  const problem = problemOf(error, request.id);
  if (problem.code === 'INTERNAL' || problem.code === 'UNKNOWN') {
    log.error({ requestId: request.id, err: error }, 'http.failed');
  }
  const retryAfter = retryAfterSeconds(error, problem.status);
  if (retryAfter !== undefined) void reply.header('retry-after', String(retryAfter));
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="parley"');
  return reply
    .code(problem.status)
    .header('x-request-id', request.id)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problem));
}

/** What is not even HTTP, or has too many headers: the connection hears why and ends. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new HttpError(431, 'INVALID_ARGUMENT', `the headers are too large; at most ${largestHeaders} bytes are allowed`)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new HttpError(408, 'DEADLINE_EXCEEDED', 'the request did not arrive in time')
        : new HttpError(400, 'INVALID_ARGUMENT', 'the request cannot be read as HTTP');
  const problem = problemOf(refusal, randomUUID());
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: application/problem+json\r\n` +
      `X-Request-Id: ${problem.request_id}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
