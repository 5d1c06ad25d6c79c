/** Which method a request is for: the google.api.http options of the protos as a table of paths. */
import { AppError, type HttpRule, invalid, type Method, methodsOf } from '@parley/kit';
import { type ServiceName, serviceFiles } from '@parley/proto';

export type Verb = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

export interface Route {
  verb: Verb;
  /** As in the proto: `/v1/orders/{id}:cancel`. */
  template: string;
  /** The names in braces, in their order. */
  parameters: string[];
  pattern: RegExp;
  /** All other fields come in the body; without it they come in the query. */
  hasBody: boolean;
  method: Method;
}

export interface Match {
  route: Route;
  /** Decoded, by field. */
  parameters: Record<string, string>;
}

/** Paths with a route of their own, which comes first: what gets here has another verb. */
const streams = [/^\/v1\/rooms\/[^/:]+\/events$/, /^\/v1\/ws$/];

const verbs = ['get', 'put', 'post', 'patch', 'delete'] as const satisfies (keyof HttpRule)[];

/** All methods of the API that HTTP reaches. */
export function restRoutes(): Route[] {
  return (Object.keys(serviceFiles) as ServiceName[]).flatMap(methodsOf).flatMap(routeOf);
}

function routeOf(method: Method): Route[] {
  const verb = verbs.find((name) => method.http?.[name] !== undefined);
  if (verb === undefined) return [];
  const template = method.http![verb]!;
  const parameters = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  const source = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '([^/:]+)');
  const hasBody = method.http!.body === '*';
  const pattern = new RegExp(`^${source}$`);
  return [{ verb: verb.toUpperCase() as Verb, template, parameters, pattern, hasBody, method }];
}

/**
 * The route of a request, and what its path says.
 * @throws AppError NOT_FOUND for another path, INVALID_ARGUMENT for one that is not percent-encoded UTF-8
 * @returns the verbs that are allowed, where the path is known with others only
 */
export function matchRoute(routes: Route[], verb: string, path: string): Match | Verb[] {
  const allowed: Verb[] = [];
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match === null) continue;
    if (route.verb !== verb) allowed.push(route.verb);
    else return { route, parameters: parametersOf(route, match) };
  }
  if (allowed.length > 0) return allowed;
  if (streams.some((pattern) => pattern.test(path))) return ['GET'];
  throw new AppError('NOT_FOUND', 'there is nothing at this path; /docs shows what there is');
}

function parametersOf({ parameters }: Route, match: RegExpExecArray): Record<string, string> {
  return Object.fromEntries(parameters.map((name, index) => [name, decoded(match[index + 1]!, name)]));
}

/** @throws AppError INVALID_ARGUMENT */
export function decoded(text: string, field: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(field, 'is not percent-encoded UTF-8');
  }
}
