import { type KubeObject, keyOf } from './resource.ts';

export type Change<T> =
  | { type: 'added'; object: T }
  | { type: 'modified'; object: T; previous: T }
  | { type: 'deleted'; object: T };

/** Values under which an object is found, such as the name of the Service that a slice belongs to. */
export type IndexFunction<T> = (object: T) => readonly string[];

/**
 * The objects of a resource as the API server last told them, by key and by indexes. Objects in it are shared: never
 * change one.
 */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #functions: Record<string, IndexFunction<T>>;
  readonly #indexes = new Map<string, Map<string, Set<string>>>();

  constructor(indexes: Record<string, IndexFunction<T>> = {}) {
    this.#functions = indexes;
    for (const name of Object.keys(indexes)) this.#indexes.set(name, new Map());
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** What an index has under a value. @throws for an index that the store was not made with */
  byIndex(index: string, value: string): T[] {
    const values = this.#indexes.get(index);
    if (!values) throw new Error(`the store has no index ${index}; it has ${[...this.#indexes.keys()].join(', ')}`);
    return [...(values.get(value) ?? [])].map((key) => this.#objects.get(key)!);
  }

  /** Puts an object in, and says what that changed; nothing when it is the version that was there. */
  set(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion && previous !== undefined) return;
    if (previous) this.#index(key, previous, false);
    this.#objects.set(key, object);
    this.#index(key, object, true);
    return previous ? { type: 'modified', object, previous } : { type: 'added', object };
  }

  /** Takes an object out. */
  delete(key: string, last?: T): Change<T> | undefined {
    const previous = this.#objects.get(key);
    if (!previous) return;
    this.#index(key, previous, false);
    this.#objects.delete(key);
    return { type: 'deleted', object: last ?? previous };
  }

  /**
   * Makes the store hold exactly these objects, and says what that changed. One that was deleted and made again in
   * between is another object: both is said.
   */
  replace(objects: readonly T[]): Change<T>[] {
    const present = new Map(objects.map((object) => [keyOf(object), object.metadata.uid]));
    const gone = [...this.#objects]
      .filter(([key, { metadata }]) => !present.has(key) || present.get(key) !== metadata.uid)
      .map(([key]) => key);
    return [...gone.map((key) => this.delete(key)), ...objects.map((object) => this.set(object))].filter(
      (change) => change !== undefined,
    );
  }

  #index(key: string, object: T, add: boolean): void {
    for (const [name, valuesOf] of Object.entries(this.#functions)) {
      const index = this.#indexes.get(name)!;
      for (const value of valuesOf(object)) {
        const keys = index.get(value) ?? new Set();
        if (add) index.set(value, keys.add(key));
        else if (keys.delete(key) && keys.size === 0) index.delete(value);
      }
    }
  }
}
