// A process of its own for the election tests: stands for election, and while it leads writes its name and fence into a
// ConfigMap as often as it can. Its writes carry no resourceVersion: the term's check alone must hold them back.
import { KubeConfig } from '@kubernetes/client-node';
import { ApiClient, apply, pause, runElected } from '../runtime/index.ts';

/** What the first argument holds, as JSON. */
export interface ElectedArguments {
  kubeConfig: object;
  identity: string;
  leaseMs: number;
  renewDeadlineMs: number;
  retryMs: number;
}

const { kubeConfig, identity, ...times } = JSON.parse(process.argv[2]!) as ElectedArguments;
const config = new KubeConfig();
config.loadFromOptions(kubeConfig);
const client = new ApiClient(config);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

await runElected({ client, namespace: 'default', name: 'elected', identity, ...times }, stop.signal, async (term) => {
  const fenced = client.fenced(term.check);
  const resource = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
  for (let count = 0; !term.signal.aborted; count++) {
    const data = { writer: identity, fence: String(term.fence), count: String(count) };
    const wanted = { metadata: { name: 'written-by', namespace: 'default' }, data };
    await apply(fenced, resource, wanted, { fieldOwner: 'elected' }).catch((error) => console.error(String(error)));
    await pause(20, term.signal);
  }
});
await client.close();
