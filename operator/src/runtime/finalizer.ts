import type { ApiClient } from './client.ts';
import { type KubeObject, objectPath, type ResourceType } from './resource.ts';

/**
 * Adds or removes a finalizer, at the object's resourceVersion, and leaves those of others alone. (A merge patch: a
 * finalizer given up by server-side apply would not go away while another owner has it too.)
 * @throws ApiError 409 when the object has changed since, 404 when it is gone
 */
export async function setFinalizer<T extends KubeObject>(
  client: ApiClient,
  resource: ResourceType,
  object: T,
  finalizer: string,
  present: boolean,
  signal?: AbortSignal,
): Promise<T> {
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  const finalizers = present ? [...others, finalizer] : others;
  return client.request<T>({
    method: 'PATCH',
    path: objectPath(resource, object.metadata),
    contentType: 'application/merge-patch+json',
    body: { metadata: { resourceVersion: object.metadata.resourceVersion, finalizers } },
    signal,
  });
}
