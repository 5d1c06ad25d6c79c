import { CHAT_ROOMS, type ChatRoom, ROOM_FINALIZER } from './api/index.ts';
import { LEASE_NAME } from './operator.ts';
import {
  type ApiClient,
  collectionPath,
  isApiError,
  type Logger,
  pause,
  seizeLease,
  setFinalizer,
} from './runtime/index.ts';

export interface ReleaseOptions {
  client: ApiClient;
  /** Where the Lease is. */
  namespace: string;
  /** Absent: all namespaces. */
  watchNamespace?: string;
  identity: string;
  /** For how long no operator leads again: until helm has deleted it. */
  holdMs?: number;
  /** How long a leader may take to notice that it leads no more. */
  noticeMs?: number;
  log: Logger;
}

interface Page {
  metadata: { continue?: string };
  items: ChatRoom[];
}

/**
 * Lets go of every ChatRoom, before the operator is uninstalled: they stay, with their rooms, and can be deleted when
 * nobody is there any more who would remove a finalizer. Takes the Lease first, so that no operator takes them again.
 * @returns how many were let go
 */
export async function releaseFinalizers(options: ReleaseOptions, signal: AbortSignal): Promise<number> {
  const { client, namespace, identity, holdMs = 120_000, noticeMs = 3_000, log } = options;
  await seizeLease({ client, namespace, name: LEASE_NAME, identity, leaseMs: holdMs }, signal);
  let released = 0;
  for (let clean = false; !clean; ) {
    const passed = await releaseAll(options, signal);
    released += passed;
    // What a leader had in hand may land until it notices; then nothing comes any more.
    await pause(noticeMs, signal);
    signal.throwIfAborted();
    clean = (await releaseAll(options, signal)) === 0;
  }
  log.info({ released }, 'finalizers.released');
  return released;
}

async function releaseAll({ client, watchNamespace }: ReleaseOptions, signal: AbortSignal): Promise<number> {
  let released = 0;
  let next: string | undefined;
  do {
    const path = collectionPath(CHAT_ROOMS, watchNamespace);
    const page = await list(client, path, next, signal);
    const held = page.items.filter(({ metadata }) => metadata.finalizers?.includes(ROOM_FINALIZER));
    for (let from = 0; from < held.length; from += 16) {
      await Promise.all(held.slice(from, from + 16).map((room) => releaseOne(client, room, signal)));
    }
    released += held.length;
    next = page.metadata.continue;
  } while (next);
  return released;
}

/** A page of rooms: of none where they are not defined, as after an install that has failed. */
async function list(client: ApiClient, path: string, next: string | undefined, signal: AbortSignal): Promise<Page> {
  try {
    return await client.request({ method: 'GET', path, query: { limit: 500, continue: next }, signal });
  } catch (error) {
    if (!isApiError(error, 404)) throw error;
    return { metadata: {}, items: [] };
  }
}

/** A conflict is left to the next pass, which sees the room as it is by then. */
async function releaseOne(client: ApiClient, room: ChatRoom, signal: AbortSignal): Promise<void> {
  try {
    await setFinalizer(client, CHAT_ROOMS, room, ROOM_FINALIZER, false, signal);
  } catch (error) {
    if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
  }
}
