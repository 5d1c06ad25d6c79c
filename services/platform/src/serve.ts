/** `parley serve`: reads the settings, builds the parts in the order in which they need each other, waits, stops them in reverse. */
import { once } from 'node:events';
import { hostname } from 'node:os';
import { createLog, Metrics, Readiness, StartError, serveOperations, startTracing } from '@parley/kit';
import { readConfiguration } from './configuration.ts';
import { listen } from './listen.ts';
import { openPorts } from './ports.ts';
import { buildServices, type ServiceKind, serviceKinds } from './services.ts';
import { openSignIn } from './sign-in.ts';
import { openStore } from './store.ts';

/**
 * Runs one service, or all of them, until the signal.
 * @throws StartError with one message that says what to mend.
 */
export async function serve(what: string, env: NodeJS.ProcessEnv, stop: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const kinds = kindsOf(what);
  const alone = kinds.length === 1;
  const settings = await readConfiguration(kinds, env);
  const log = createLog(alone ? what : 'parley', settings.logLevel);
  const metrics = new Metrics({ processMetrics: true });
  const readiness = new Readiness();
  let started = false;
  readiness.add({
    name: 'parley',
    check: () => {
      if (!started) throw new Error('starting');
    },
  });
  await using stack = new AsyncDisposableStack();

  stack.use(await startTracing(`parley-${what}`, settings.otlpEndpoint));
  const operations = stack.use(await serveOperations(settings.metricsPort, metrics, readiness));
  const ports = await openPorts(settings, kinds);
  const store = stack.use(await openStore(settings, kinds, { log, readiness, stop }));
  const signIn = openSignIn(settings, alone, log);
  const podId = settings.podId ?? `${hostname()}-${process.pid}`;
  const services = stack.use(
    await buildServices({ kinds, alone, env, settings, log, metrics, ports, store, signIn, podId }),
  );
  for (const check of services.checks) readiness.add(check);
  const server = stack.use(await listen({ services, ports, signIn, log, metrics }));

  started = true;
  const ready = Math.round(performance.now() - startedAt);
  log.info({ http: services.httpPort, grpc: server.port, metrics: operations.port, readyMs: ready }, 'parley.started');
  if (process.stdout.isTTY || !alone) greet(services.httpPort, server.port, operations.port, signIn.mode);

  if (!stop.aborted) await once(stop, 'abort');
  log.info('parley.stopping');
  readiness.drain();
  server.notServing();
  const graceMs = settings.drainSeconds * 1000;
  await services.drain();
  await server.drain(graceMs);
  log.flush();
}

function kindsOf(what: string): ServiceKind[] {
  if (what === 'all') return [...serviceKinds];
  if ((serviceKinds as readonly string[]).includes(what)) return [what as ServiceKind];
  throw new StartError(`there is no service ${JSON.stringify(what)}: serve all, ${serviceKinds.join(', ')}`, 2);
}

function greet(http: number | undefined, grpc: number, metrics: number, auth: string): void {
  const lines = [
    http === undefined ? undefined : `  page, REST, WebSocket   http://localhost:${http}`,
    http === undefined ? undefined : `  API documentation       http://localhost:${http}/docs`,
    `  gRPC                    localhost:${grpc}`,
    `  metrics and health      http://localhost:${metrics}/metrics  /livez  /readyz`,
    auth === 'open' ? '  Anybody may come in without a token (PARLEY_AUTH=open). Ctrl+C stops.' : '  Ctrl+C stops.',
  ];
  process.stderr.write(`\nParley is running:\n${lines.filter(Boolean).join('\n')}\n\n`);
}
