import type { ApiClient } from './client.ts';
import { type Logger, silent } from './log.ts';
import { TokenBucket } from './rate-limit.ts';
import { apiVersionOf, collectionPath, type KubeObject, objectPath, type ResourceType } from './resource.ts';
import { monotonicMs } from './timing.ts';

export const EVENTS: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

export interface EventText {
  type: 'Normal' | 'Warning';
  /** Why, in UpperCamelCase. */
  reason: string;
  /** What was done or tried, in UpperCamelCase. */
  action: string;
  /** For people; at most 1,024 characters are kept. */
  note: string;
}

interface Series {
  name: string;
  namespace: string;
  count: number;
  /** Of the count that the API server knows. */
  told: number;
  lastMs: number;
  writing: Promise<void>;
}

/** Repeats within this time are one Event with a count. */
const SERIES_MS = 6 * 60_000;
/** A repeat is written at most this often. */
const TELL_MS = 30_000;
const MAX_OBJECTS = 4_096;

/**
 * Records Events, as many as a reader can use: the same again within six minutes is a count on the first, and an object
 * that has had 25 gets one more every five minutes. Recording never fails and never waits; what cannot be written is
 * logged.
 */
export class EventRecorder {
  readonly #client: ApiClient;
  readonly #controller: string;
  readonly #instance: string;
  readonly #log: Logger;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #underWay = new Set<Promise<void>>();
  #sequence = 0;

  constructor(options: { client: ApiClient; controller: string; instance: string; log?: Logger }) {
    this.#client = options.client;
    this.#controller = options.controller;
    this.#instance = options.instance;
    this.#log = options.log ?? silent;
  }

  record(resource: ResourceType, object: KubeObject, text: EventText): void {
    const uid = object.metadata.uid ?? '';
    // With the note, which the API server lets nobody change afterwards.
    const key = [uid, text.type, text.reason, text.action, text.note].join(' ');
    const now = monotonicMs();
    const known = this.#series.get(key);
    if (known && now - known.lastMs < SERIES_MS) {
      known.count += 1;
      const due = known.told === 1 || now - known.lastMs >= TELL_MS;
      if (due) this.#write(known, () => this.#repeat(known));
      return;
    }
    if (!this.#bucket(uid).take()) return;
    const series: Series = {
      // As client-go names them: the object, and a time nobody else has.
      name: `${object.metadata.name}.${(Date.now() * 4096 + (this.#sequence++ % 4096)).toString(16)}`,
      namespace: object.metadata.namespace ?? 'default',
      count: 1,
      told: 0,
      lastMs: now,
      writing: Promise.resolve(),
    };
    this.#remember(key, series);
    this.#write(series, () => this.#create(series, resource, object, text));
  }

  /** Resolves when everything recorded so far is written or has failed. */
  async flush(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  #write(series: Series, write: () => Promise<unknown>): void {
    series.lastMs = monotonicMs();
    series.told = series.count;
    series.writing = series.writing.then(write).then(
      () => {},
      (error) => this.#log.warn({ event: series.name, error: String(error) }, 'event.not_recorded'),
    );
    const writing = series.writing;
    this.#underWay.add(writing);
    void writing.then(() => this.#underWay.delete(writing));
  }

  #create(series: Series, resource: ResourceType, object: KubeObject, text: EventText): Promise<unknown> {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    return this.#client.request({
      method: 'POST',
      path: collectionPath(EVENTS, series.namespace),
      body: {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: series.name, namespace: series.namespace },
        eventTime: microTime(),
        type: text.type,
        reason: text.reason,
        action: text.action,
        note: text.note.slice(0, 1_024),
        reportingController: this.#controller,
        reportingInstance: this.#instance.slice(0, 128),
        regarding: { apiVersion: apiVersionOf(resource), kind: resource.kind, name, namespace, uid, resourceVersion },
      },
    });
  }

  #repeat(series: Series): Promise<unknown> {
    return this.#client.request({
      method: 'PATCH',
      path: objectPath(EVENTS, series),
      contentType: 'application/merge-patch+json',
      body: { series: { count: series.count, lastObservedTime: microTime() } },
    });
  }

  #bucket(uid: string): TokenBucket {
    const bucket = this.#buckets.get(uid) ?? new TokenBucket(1 / 300, 25);
    bound(this.#buckets).set(uid, bucket);
    return bucket;
  }

  #remember(key: string, series: Series): void {
    this.#series.delete(key);
    bound(this.#series).set(key, series);
  }
}

/** Keeps a map from growing with everything there ever was: the oldest goes. */
function bound<K, V>(map: Map<K, V>): Map<K, V> {
  if (map.size >= MAX_OBJECTS) map.delete(map.keys().next().value as K);
  return map;
}

function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
