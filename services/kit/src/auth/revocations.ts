/** Whose tokens are no longer good: heard from the user service, and again from the start whenever the stream breaks. */
import type { Logger } from '../log.ts';
import type { RpcClient } from '../rpc/client.ts';
import type { TokenVerifier } from './tokens.ts';

const mostWaitMs = 2000;
/** Several failures in a row are worth a line; one is what a restart of the user service looks like. */
const failuresToTell = 5;

/** Keeps a process's verifier informed; who has open streams listens to `verifier.onRevoked`. */
export function followRevocations(
  auth: Pick<RpcClient<'auth.AuthService'>, 'watchRevocations'>,
  verifier: TokenVerifier,
  log: Logger,
): AsyncDisposable {
  const stopped = new AbortController();
  const follow = async () => {
    for (let failures = 0; !stopped.signal.aborted; ) {
      try {
        await auth.watchRevocations({}, { signal: stopped.signal }).each(({ user_id, issued_before }) => {
          failures = 0;
          verifier.revoke(user_id, new Date(issued_before));
        });
      } catch (error) {
        if (++failures === failuresToTell) log.warn({ err: String(error) }, 'revocations.lost');
      }
      await pause(Math.min(mostWaitMs, 50 * 2 ** Math.min(failures, 6)), stopped.signal);
    }
  };
  const following = follow();
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await following;
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => [clearTimeout(timer), resolve()], { once: true });
  });
}
