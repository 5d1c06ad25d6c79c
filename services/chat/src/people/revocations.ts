/** Follows whose tokens are no longer good: the verifier refuses them, and their streams end. */
import type { Logger, RpcClient, TokenVerifier } from '@parley/kit';
import type { OpenStreams } from './streams.ts';

const mostRetryMs = 2000;

export function followRevocations(
  users: RpcClient<'auth.AuthService'>,
  verifier: TokenVerifier,
  streams: OpenStreams,
  logger: Logger,
): AsyncDisposable {
  const stop = new AbortController();
  const follow = async () => {
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        await users.watchRevocations({}, { signal: stop.signal }).each(({ user_id, issued_before }) => {
          failures = 0;
          const before = new Date(issued_before);
          verifier.revoke(user_id, before);
          streams.revoke(user_id, before.getTime());
        });
      } catch (err) {
        if (stop.signal.aborted) return;
        if (failures === 5) logger.warn({ err: String(err) }, 'revocations.not_followed');
      }
      await pause(Math.min(mostRetryMs, 50 * 2 ** Math.min(failures++, 6)), stop.signal);
    }
  };
  const following = follow();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
