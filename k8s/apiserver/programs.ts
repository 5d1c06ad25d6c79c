import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const toolsScript = join(import.meta.dirname, '../kind/tools');
// What people install themselves, as k8s/kind/tools has it.
const ownPrograms = new Set(['kubectl', 'helm']);
const buildTimeoutMs = 20 * 60_000;

/**
 * The paths of Kubernetes programs: from KUBEBUILDER_ASSETS, else from Parley's cache, else made there by
 * `k8s/kind/tools`, which downloads a release or builds it from its Go module; that leaves a kubectl or helm alone that
 * is on PATH.
 *
 * `make test` runs that script first, so that no test has to wait minutes for a compiler.
 *
 * @throws when a program is nowhere and cannot be made; the message ends with what the script said.
 */
export async function findPrograms<Name extends string>(
  names: readonly Name[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Record<Name, string>> {
  const cache = join(env['PARLEY_CACHE'] || join(homedir(), '.cache', 'parley'), 'bin');
  const folders = [env['KUBEBUILDER_ASSETS'], cache].filter((folder) => folder !== undefined && folder !== '');
  const onPath = (name: string) => (ownPrograms.has(name) ? (env['PATH'] ?? '').split(delimiter) : []);
  const find = (name: string) => [...folders, ...onPath(name)].map((folder) => join(folder!, name)).find(existsSync);

  const missing = names.filter((name) => !find(name));
  if (missing.length > 0) {
    await promisify(execFile)(toolsScript, missing, { env, timeout: buildTimeoutMs, maxBuffer: 64 << 20 }).catch(
      (cause) => {
        throw new Error(
          `${missing.join(', ')} not in ${folders.join(' or ')}, and k8s/kind/tools failed: ${cause.stderr}`,
          {
            cause,
          },
        );
      },
    );
  }
  return Object.fromEntries(names.map((name) => [name, find(name)!])) as Record<Name, string>;
}
