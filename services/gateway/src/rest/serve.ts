/** REST: each request becomes the call that its route names, and the answer comes back as JSON. */
import { extractTrace, inSpan, type Method, type RpcChannel, SpanKind } from '@parley/kit';
import type { ServiceName } from '@parley/proto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Message } from '../json/read.ts';
import { responseShape } from '../json/shape.ts';
import { toJson } from '../json/write.ts';
import { notAllowed } from '../not-allowed.ts';
import { givesSession, noRefreshCookie, refreshCookie, refreshTokenOf, takesRefreshToken } from '../sign-in/cookie.ts';
import { type Match, matchRoute, type Route, restRoutes } from './routes.ts';
import { transcode } from './transcode.ts';

export interface RestSettings {
  channelOf(service: ServiceName): RpcChannel;
  serviceToken(): string;
}

type UnaryCall = (request: object, settings: object) => Promise<Message>;

export function serveRest(app: FastifyInstance, settings: RestSettings): void {
  const routes = restRoutes();
  const calls = new Map(routes.map(({ method }) => [method, callOf(method, settings.channelOf(method.service))]));
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'],
    url: '/v1/*',
    handler: async (request, reply) => {
      const [path = '', query = ''] = request.url.split(/\?(.*)/s, 2);
      const match = matchOf(routes, request, reply, path);
      request.label = match.route.template;
      const message = transcode(match, {
        query,
        body: request.body,
        idempotencyKey: request.headers['idempotency-key']?.toString(),
      });
      const { method } = match.route;
      const secure = request.protocol === 'https';
      if (takesRefreshToken(method)) message.refresh_token ||= refreshTokenOf(request.headers.cookie) ?? '';
      const answer = await traced(request, match.route, () =>
        calls.get(method)!(message, callSettings(request, method, message, settings)),
      );
      if (givesSession(method)) void reply.header('set-cookie', refreshCookie(answer, secure));
      else if (takesRefreshToken(method)) void reply.header('set-cookie', noRefreshCookie(secure));
      return reply
        .header('cache-control', 'no-store')
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(toJson(responseShape(method), answer)));
    },
  });
}

function callOf(method: Method, channel: RpcChannel): UnaryCall {
  const client = channel.client(method.service) as unknown as Record<string, UnaryCall>;
  return client[method.name.charAt(0).toLowerCase() + method.name.slice(1)]!;
}

function matchOf(routes: Route[], request: FastifyRequest, reply: FastifyReply, path: string): Match {
  // A HEAD is a GET whose body stays behind: what writes the answer sees to that.
  const match = matchRoute(routes, request.method === 'HEAD' ? 'GET' : request.method, path);
  if (!Array.isArray(match)) return match;
  throw notAllowed(request, reply, match);
}

/** The caller's own token goes along; sign-in has none, so there we vouch for the address that asks. */
function callSettings(
  request: FastifyRequest,
  method: Method,
  message: Message,
  { serviceToken }: RestSettings,
): object {
  const parent = { deadline: Number.POSITIVE_INFINITY, requestId: request.id };
  // Without a refresh token, logging out is everywhere: that is asked for in one's own name.
  const everywhere = method.name === 'Logout' && message.refresh_token === '' && request.token !== undefined;
  if (method.service !== 'auth.AuthService' || everywhere) return { parent, token: request.token };
  return { parent, token: serviceToken(), metadata: { 'x-forwarded-for': request.ip } };
}

function traced<T>(request: FastifyRequest, { verb, template }: Route, work: () => Promise<T>): Promise<T> {
  const parent = extractTrace(request.headers, headersGetter);
  const attributes = { 'http.request.method': verb, 'http.route': template, 'parley.request_id': request.id };
  return inSpan(`${verb} ${template}`, attributes, work, { kind: SpanKind.SERVER, parent });
}

const headersGetter = {
  get: (headers: FastifyRequest['headers'], key: string) => headers[key],
  keys: (headers: FastifyRequest['headers']) => Object.keys(headers),
};
