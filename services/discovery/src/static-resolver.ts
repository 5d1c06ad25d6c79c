import { experimental } from '@grpc/grpc-js';
import { backendsAttribute } from './balancer.ts';
import { parseStaticTarget, type TargetUri } from './target.ts';

/** The resolver behind `static:///host:port*weight,…`: the same weights as in a cluster, without one. */
export class StaticResolver implements experimental.Resolver {
  readonly #deliver: () => void;
  #active = false;

  constructor(target: TargetUri, listener: experimental.ResolverListener) {
    const backends = parseStaticTarget(target);
    const endpoints = backends.flatMap((backend) => backend.endpoints.map(({ addresses }) => ({ addresses })));
    this.#deliver = () => {
      if (!this.#active) return;
      listener(experimental.statusOrFromValue(endpoints), { [backendsAttribute]: backends }, null, '');
    };
  }

  updateResolution(): void {
    this.#active = true;
    // Never from within the call itself: grpc-js is not ready for that.
    setImmediate(this.#deliver);
  }

  destroy(): void {
    this.#active = false;
  }

  static getDefaultAuthority(target: TargetUri): string {
    return parseStaticTarget(target)[0]!.name;
  }
}
