import { experimental, Metadata, status } from '@grpc/grpc-js';
import { backendsAttribute } from './balancer.ts';
import type { Directory } from './directory.ts';
import type { Listener } from './lookup.ts';
import { parseKubernetesTarget, type TargetUri } from './target.ts';

/** The resolver class behind `k8s:///service[.namespace][:port]`; its channels share the directory's watches. */
export function kubernetesResolver(directory: Directory) {
  return class KubernetesResolver implements experimental.Resolver {
    readonly #target: TargetUri;
    readonly #listener: experimental.ResolverListener;
    /** Ends the subscription; undefined while there is none. */
    #unsubscribe: (() => void) | undefined;

    constructor(target: TargetUri, listener: experimental.ResolverListener) {
      parseKubernetesTarget(target);
      this.#target = target;
      this.#listener = listener;
    }

    /** Also called again after destroy, when a channel that was idle is used. */
    updateResolution(): void {
      if (this.#unsubscribe) return;
      let over = false;
      let end = () => {};
      this.#unsubscribe = () => {
        over = true;
        end();
      };
      directory.lookup(parseKubernetesTarget(this.#target)).then(
        (lookup) => {
          if (!over) end = lookup.subscribe(this.#deliver);
        },
        (cause: Error) => {
          if (over) return;
          this.#unsubscribe = undefined;
          this.#deliver({ error: `the kubeconfig cannot be used: ${cause.message}` });
        },
      );
    }

    destroy(): void {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    }

    readonly #deliver: Listener = (result) => {
      if ('error' in result) {
        // An error leaves existing connections at work; an empty list would end them.
        const error = { code: status.UNAVAILABLE, details: result.error, metadata: new Metadata() };
        this.#listener(experimental.statusOrFromError(error), {}, null, result.error);
        return;
      }
      const { backends, problems } = result.resolution;
      const list = new Map(backends.flatMap((backend) => backend.endpoints.map((each) => [each.id, each.addresses])));
      const endpoints = [...list.values()].map((addresses) => ({ addresses }));
      this.#listener(
        experimental.statusOrFromValue(endpoints),
        { [backendsAttribute]: backends },
        null,
        problems.join('; '),
      );
    };

    static getDefaultAuthority(target: TargetUri): string {
      const { service, namespace } = parseKubernetesTarget(target);
      return namespace ? `${service}.${namespace}` : service;
    }
  };
}
