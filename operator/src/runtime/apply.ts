import type { ApiClient } from './client.ts';
import { apiVersionOf, type KubeObject, objectPath, type ResourceType } from './resource.ts';

/** What is applied: the fields that the owner wants, no others. */
export interface Wanted {
  metadata: {
    name: string;
    namespace?: string;
    /** The version that the decision was made from: another's write in between makes it a 409. Leave out to create. */
    resourceVersion?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
  };
  [field: string]: unknown;
}

/**
 * Server-side apply: the API server merges these fields in, remembers that `fieldOwner` owns them, and removes those
 * that it owned before and that are no longer in `wanted`.
 * @param subresource `status` to apply the status
 * @throws ApiError 409 when the resourceVersion is no longer the current one
 */
export function apply<T extends KubeObject>(
  client: ApiClient,
  resource: ResourceType,
  wanted: Wanted,
  options: { fieldOwner: string; subresource?: string; signal?: AbortSignal },
): Promise<T> {
  return client.request<T>({
    method: 'PATCH',
    path: objectPath(resource, wanted.metadata, options.subresource),
    query: { fieldManager: options.fieldOwner, force: true },
    contentType: 'application/apply-patch+yaml',
    body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...wanted },
    signal: options.signal,
  });
}

/** Has `actual` every field of `wanted` with the same value? Then to apply it would change nothing. */
export function holds(wanted: unknown, actual: unknown): boolean {
  if (wanted === undefined) return true;
  if (wanted === null || typeof wanted !== 'object') return wanted === actual;
  if (actual === null || typeof actual !== 'object') return false;
  if (Array.isArray(wanted)) {
    return Array.isArray(actual) && actual.length === wanted.length && wanted.every((w, i) => holds(w, actual[i]));
  }
  return Object.entries(wanted).every(([field, value]) => holds(value, (actual as Record<string, unknown>)[field]));
}
