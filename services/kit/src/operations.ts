/** The operations port: /metrics for Prometheus, /livez and /readyz for the kubelet. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.ts';
import { StartError } from './settings.ts';

/** A part that must be well before traffic comes: answers with nothing, or throws what is wrong. */
export interface ReadinessCheck {
  name: string;
  check(): Promise<void> | void;
}

/** Which checks have to pass. Shared by the HTTP port and the gRPC health service. */
export class Readiness {
  readonly #checks: ReadinessCheck[] = [];
  #draining = false;

  add(check: ReadinessCheck): void {
    this.#checks.push(check);
  }

  /** From here on the process is not ready, whatever the checks say. */
  drain(): void {
    this.#draining = true;
  }

  /** What is not well, a line each; empty when ready. A check that hangs counts as unwell after 2 s. */
  async problems(): Promise<string[]> {
    if (this.#draining) return ['draining'];
    const answers = await Promise.all(
      this.#checks.map(async ({ name, check }) => {
        let timer: NodeJS.Timeout | undefined;
        const timeout = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error('no answer within 2 s')), 2000);
        });
        try {
          await Promise.race([check(), timeout]);
          return undefined;
        } catch (error) {
          return `${name}: ${error instanceof Error ? error.message : error}`;
        } finally {
          clearTimeout(timer);
        }
      }),
    );
    return answers.filter((answer) => answer !== undefined);
  }
}

export interface OperationsServer extends AsyncDisposable {
  port: number;
}

/** Serves /metrics, /livez and /readyz. @throws StartError where the port is in use. */
export async function serveOperations(port: number, metrics: Metrics, readiness: Readiness): Promise<OperationsServer> {
  const server = createServer(async (request, response) => {
    const answer = (code: number, body: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(code, { 'content-type': type }).end(body);
    try {
      if (request.url === '/metrics') answer(200, await metrics.registry.metrics(), metrics.registry.contentType);
      else if (request.url === '/livez') answer(200, 'ok\n');
      else if (request.url === '/readyz') {
        const problems = await readiness.problems();
        answer(problems.length === 0 ? 200 : 503, problems.length === 0 ? 'ok\n' : `${problems.join('\n')}\n`);
      } else answer(404, 'here are /metrics, /livez and /readyz\n');
    } catch {
      answer(500, 'the metrics could not be collected\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(portError(error, port, 'PARLEY_METRICS_PORT')));
    server.listen(port, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What to say of a port that cannot be listened on. */
export function portError(error: NodeJS.ErrnoException, port: number, setting: string): Error {
  if (error.code === 'EADDRINUSE') {
    return new StartError(
      `port ${port} is in use by another process: stop that one, or set ${setting} to a free port`,
      1,
      error,
    );
  }
  if (error.code === 'EACCES') {
    return new StartError(
      `port ${port} needs privileges that this process does not have: set ${setting} above 1023`,
      1,
      error,
    );
  }
  return error;
}
