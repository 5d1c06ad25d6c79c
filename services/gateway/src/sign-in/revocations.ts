/** Whose tokens are no longer good: heard from the user service, and again from the start whenever the stream breaks. */
import type { AppError, Logger, RpcClient, TokenVerifier } from '@parley/kit';

export interface RevocationSettings {
  auth: RpcClient<'auth.AuthService'>;
  serviceToken(): string;
  verifier: TokenVerifier;
  /** A user was signed out: his open streams end. */
  onRevoked(): void;
  log: Logger;
}

const mostWaitMs = 2000;
/** The stream's own token ends after 15 minutes. */
const renewAfterMs = 5 * 60_000;

export function followRevocations({ auth, serviceToken, verifier, onRevoked, log }: RevocationSettings): Disposable {
  const stopped = new AbortController();
  const follow = async () => {
    for (let failures = 0; !stopped.signal.aborted; ) {
      const renew = AbortSignal.timeout(renewAfterMs);
      const signal = AbortSignal.any([stopped.signal, renew]);
      try {
        await auth.watchRevocations({}, { token: serviceToken(), signal }).each(({ user_id, issued_before }) => {
          failures = 0;
          verifier.revoke(user_id, new Date(issued_before));
          onRevoked();
        });
      } catch (error) {
        if (renew.aborted) continue;
        // At the start the user service may come a moment later than we do.
        if (++failures === 5 && !stopped.signal.aborted)
          log.warn({ code: (error as AppError).code }, 'revocations.lost');
      }
      await pause(Math.min(mostWaitMs, 50 * 2 ** failures), stopped.signal);
    }
  };
  void follow();
  return { [Symbol.dispose]: () => stopped.abort() };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => [clearTimeout(timer), resolve()], { once: true });
  });
}
