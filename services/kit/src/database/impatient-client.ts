import pg from 'pg';

/**
 * A connection that is given up where a statement has no answer in time. The server's own limit (statement_timeout) does
 * not help where the network has been cut: nobody would notice before TCP does, minutes later, and the connection would
 * still be in use when the network is back.
 */
export function impatientClient(patienceMs: number): typeof pg.Client {
  return class ImpatientClient extends pg.Client {
    // biome-ignore lint/suspicious/noExplicitAny: query has ten overloads, and this passes all of them on.
    override query(...call: any[]): any {
      const answer: unknown = super.query(...(call as [string]));
      if (!(answer instanceof Promise)) return answer;
      const timer = setTimeout(() => socketOf(this).destroy(), patienceMs);
      const done = () => clearTimeout(timer);
      answer.then(done, done);
      return answer;
    }
  };
}

/** pg fails what waits on a connection, and the pool drops it, when its socket closes. */
function socketOf(client: pg.Client): { destroy(): void } {
  return (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
}
