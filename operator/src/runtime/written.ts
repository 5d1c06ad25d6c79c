import { type KubeObject, keyOf } from './resource.ts';
import type { Store } from './store.ts';

/**
 * What this process wrote last, until the watch has told it: a reconcile that comes before that must not decide from the
 * version that it has changed itself.
 */
export class Written<T extends KubeObject> {
  readonly #store: Store<T>;
  readonly #objects = new Map<string, T>();

  constructor(store: Store<T>) {
    this.#store = store;
  }

  /** The newest version known of an object. */
  get(key: string): T | undefined {
    const stored = this.#store.get(key);
    const written = this.#objects.get(key);
    if (!written) return stored;
    if (stored && isNewer(written, stored)) return written;
    // The watch has caught up, or the object is gone, or another one has its name.
    if (stored) this.#objects.delete(key);
    return stored;
  }

  /** Remembers the API server's answer to a write. */
  put(object: T): T {
    this.#objects.set(keyOf(object), object);
    return object;
  }

  /** Is this change the echo of a write of this process? Then there is nothing new in it. */
  isEcho(object: T): boolean {
    const key = keyOf(object);
    const written = this.#objects.get(key);
    if (!written || isNewer(object, written)) return false;
    if (!isNewer(written, object)) this.#objects.delete(key);
    return true;
  }

  forget(key: string): void {
    this.#objects.delete(key);
  }
}

/** By resourceVersion, which the API server counts upwards in whole numbers. */
function isNewer(a: KubeObject, b: KubeObject): boolean {
  if (a.metadata.uid !== b.metadata.uid) return false;
  return BigInt(a.metadata.resourceVersion ?? 0) > BigInt(b.metadata.resourceVersion ?? 0);
}
