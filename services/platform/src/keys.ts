/** `parley keys`: signing keys are made once, by whoever installs, and never by a template. */
import { makeKeys, newKey, StartError } from '@parley/kit';

/** Makes a key in a folder, or in a Secret of the pod's namespace; where there is one already nothing happens. */
export async function makeSigningKeys({ folder, secret }: { folder?: string; secret?: string }): Promise<void> {
  if ((folder === undefined) === (secret === undefined)) {
    throw new StartError('say where the key goes: either --folder <path> or --secret <name>', 2);
  }
  if (folder !== undefined) makeKeys(folder);
  else await makeSecret(secret as string);
}

async function makeSecret(name: string): Promise<void> {
  const { CoreV1Api, KubeConfig, ApiException } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromDefault();
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  const { kid, pem } = newKey();
  try {
    await config.makeApiClient(CoreV1Api).createNamespacedSecret({
      namespace,
      body: {
        metadata: { name, labels: { 'app.kubernetes.io/part-of': 'parley' } },
        stringData: { [`${kid}.pem`]: pem },
      },
    });
    console.log(`the Secret ${namespace}/${name} has a new signing key, ${kid}`);
  } catch (error) {
    if (!(error instanceof ApiException) || error.code !== 409) throw error;
    console.log(`the Secret ${namespace}/${name} is there already: it stays as it is`);
  }
}
