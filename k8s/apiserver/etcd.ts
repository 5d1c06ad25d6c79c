/** What tests do to an API server's data behind its back. etcd speaks JSON on its client port, with keys in base64. */

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** As a key and as a range's end it stands for the first and for what is behind the last. */
const edge = base64('\0');

/** etcd takes no more of them in one transaction. */
const maxOperations = 128;

interface Header {
  header: { revision: string };
}

/** @throws Error for anything but a success */
async function call<Result>(etcdUrl: string, path: string, body: object): Promise<Result> {
  const answer = await fetch(`${etcdUrl}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`etcd answered ${path} with ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Result;
}

/** The number of the newest change. */
export const revision = async (etcdUrl: string): Promise<number> =>
  Number((await call<Header>(etcdUrl, 'range', { key: edge, count_only: true })).header.revision);

/** Forgets all but the newest revision, and returns that one. */
export async function compact(etcdUrl: string): Promise<string> {
  // A watch from the version before the compacted one is still served: a write of our own makes that nobody's.
  const { header } = await call<Header>(etcdUrl, 'put', { key: base64('/parley/compacted'), value: base64('') });
  await call(etcdUrl, 'compaction', { revision: header.revision, physical: true });
  return header.revision;
}

/** Deletes what was created after a revision. @returns how much that was */
export async function deleteSince(etcdUrl: string, since: number): Promise<number> {
  const created = { key: edge, range_end: edge, keys_only: true, min_create_revision: since + 1 };
  const { kvs = [] } = await call<{ kvs?: { key: string }[] }>(etcdUrl, 'range', created);
  for (let at = 0; at < kvs.length; at += maxOperations) {
    const deletions = kvs.slice(at, at + maxOperations).map(({ key }) => ({ request_delete_range: { key } }));
    await call(etcdUrl, 'txn', { success: deletions });
  }
  return kvs.length;
}
