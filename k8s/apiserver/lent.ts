import { setTimeout as delay } from 'node:timers/promises';
import { type ApiServer, startApiServer } from './apiserver.ts';
import { deleteSince, revision } from './etcd.ts';

/** An API server as it was when it had started. */
interface Fresh {
  api: ApiServer;
  revision: number;
}

const administrators = ['system:masters'];
const options = {
  // Three who may do everything, each under a name of its own, and three who may do nothing until a Role says so.
  users: { one: administrators, two: administrators, three: administrators, nobody: [], operator: [], releaser: [] },
  audit: true,
};
const emptyWithinMs = 30_000;
const pollMs = 20;

/** Those of this process that nobody has now. They end with it, and their folders with the test run's. */
const free: Fresh[] = [];

/**
 * An API server that somebody may have had before: a start takes four seconds of a processor. Disposed of it is given
 * back, and emptied of all that was made in it, mostly in etcd, so that neither finalizers nor the absent controllers
 * matter; what stays is changes to what it came with, and its audit log.
 */
export async function lendApiServer(): Promise<ApiServer> {
  const lent = free.pop() ?? (await start());
  return {
    ...lent.api,
    async [Symbol.asyncDispose]() {
      try {
        await empty(lent);
        free.push(lent);
      } catch (error) {
        await lent.api[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

async function start(): Promise<Fresh> {
  const api = await startApiServer(options);
  return { api, revision: await revision(api.etcdUrl) };
}

/** Until the API server has heard of it: it serves no foreign group any more, and has made nothing anew meanwhile. */
async function empty({ api, revision }: Fresh): Promise<void> {
  await deleteServices(api);
  const deadline = Date.now() + emptyWithinMs;
  while ((await deleteSince(api.etcdUrl, revision)) > 0 || (await foreignGroups(api)).length > 0) {
    if (Date.now() > deadline)
      throw new Error(`the API server was not empty within ${emptyWithinMs} ms: it serves ${await foreignGroups(api)}`);
    await delay(pollMs);
  }
}

/** By asking: which ports of the nodes they had, the API server itself remembers, besides etcd. */
async function deleteServices(api: ApiServer): Promise<void> {
  const { body } = await api.request('GET', '/api/v1/services');
  for (const { metadata } of body.items) {
    if (metadata.namespace === 'default' && metadata.name === 'kubernetes') continue;
    await api.request('DELETE', `/api/v1/namespaces/${metadata.namespace}/services/${metadata.name}`);
  }
}

async function foreignGroups(api: ApiServer): Promise<string[]> {
  const { body } = await api.request('GET', '/apis');
  const groups: string[] = body.groups.map(({ name }: { name: string }) => name);
  return groups.filter((name) => name.includes('.') && !name.endsWith('.k8s.io'));
}
