/** `parley cleanup`: after an uninstall, takes away what Helm does not know of. */
import { ApiException, CoordinationV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';

/** Deletes the Secret of signing keys and the operators' Lease, where they are, in the pod's namespace. */
export async function cleanUp({ secret, lease }: { secret?: string; lease?: string }): Promise<void> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  const gone = async (what: string, deleting: Promise<unknown>) => {
    try {
      await deleting;
      console.log(`deleted ${what}`);
    } catch (error) {
      if (!(error instanceof ApiException) || error.code !== 404) throw error;
    }
  };
  if (secret)
    await gone(
      `the Secret ${secret}`,
      config.makeApiClient(CoreV1Api).deleteNamespacedSecret({ name: secret, namespace }),
    );
  if (lease)
    await gone(
      `the Lease ${lease}`,
      config.makeApiClient(CoordinationV1Api).deleteNamespacedLease({ name: lease, namespace }),
    );
}
