// biome-ignore-all lint/suspicious/noExplicitAny: manifests are looked at, not typed.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findPrograms, lendApiServer } from '@parley/apiserver';
import { beforeAll, describe, expect, test } from 'vitest';
import { chart, podsOf, render, resources } from './rendering.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const evaluator = join(root, 'charts/tilt/evaluate');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const there = (path: string) => existsSync(join(root, path));

/** What the Tiltfile asks Tilt for, under a kubeconfig's context. */
async function evaluate(context: string): Promise<{ call: string; with: any }[]> {
  const { helm } = await findPrograms(['helm']);
  const PATH = [dirname(helm), process.env['PATH']].join(delimiter);
  const folder = mkdtempSync(join(tmpdir(), 'parley-tilt-'));
  try {
    const program = join(folder, 'evaluate');
    await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd: evaluator, timeout: 180_000 });
    const env = { ...process.env, PATH };
    const ran = promisify(execFile)(program, [context, 'Tiltfile'], { cwd: root, env, maxBuffer: 64 << 20 });
    return JSON.parse((await ran).stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const canRun = spawnSync('go', ['version']).status === 0 || process.env['CI'] === 'true';
describe.skipIf(!canRun)(canRun ? 'the Tiltfile' : 'the Tiltfile (skipped: there is no `go` to evaluate it)', () => {
  let asked: { call: string; with: any }[];
  let deployed: any[];
  const all = (call: string) => asked.filter((one) => one.call === call).map((one) => one.with);
  const steps = (step: string) =>
    all('custom_build').flatMap((image) => image.live_update.filter((s: any) => s.step === step));
  beforeAll(async () => {
    asked = await evaluate('kind-parley');
    deployed = all('k8s_yaml').flatMap(({ yaml }) => resources(yaml));
  }, 240_000);

  test('refuses another cluster, and says how to make its own', async () => {
    await expect(evaluate('production')).rejects.toThrow(
      /the context is production, not kind-parley: `k8s\/kind\/up parley \d+ \d+` makes the cluster/,
    );
  });

  test('names only paths that exist', () => {
    const named = [
      ...all('helm').flatMap(({ path, values }) => [path, ...values]),
      ...all('custom_build').flatMap(({ deps }) => deps),
      ...all('local_resource').flatMap(({ deps }) => deps ?? []),
      ...steps('sync').map((step) => step.local_path),
      ...steps('fall_back_on').flatMap((step) => step.paths),
    ];
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !there(path))).toEqual([]);
  });

  test('runs only commands that exist', () => {
    const commands: string[][] = [
      ...all('local').map(({ command }) => command),
      ...all('custom_build').map(({ command }) => command),
      ...all('local_resource').map(({ cmd }) => cmd),
    ];
    const scripts = JSON.parse(read('package.json')).scripts;
    for (const [program, ...args] of commands) {
      if (program === 'make') expect(read('Makefile')).toMatch(new RegExp(`^${args[0]}:.*##`, 'm'));
      else if (program === 'npm') expect(Object.keys(scripts)).toContain(args.at(-1));
      else if (program === 'kubectl') expect(there(args.at(-1)!), args.at(-1)).toBe(true);
      else accessSync(join(root, program!), constants.X_OK);
    }
  });

  test('builds every image of Parley that the chart names, and no other', async () => {
    const withoutTag = (image: string) => image.replace(/:[^:/]*$/, '');
    const images = (of: any[]) =>
      new Set(
        podsOf(of).flatMap(({ spec }) =>
          [...spec.containers, ...(spec.initContainers ?? [])].map((c) => withoutTag(c.image)),
        ),
      );
    const built = all('custom_build').map(({ ref }) => ref);
    expect(images(deployed)).toEqual(new Set([...built, 'postgres', 'redis']));
    expect(images(resources(await render()))).toEqual(images(deployed));
  });

  test('has a resource for every workload, and waits only for those that there are', () => {
    const workloads = deployed.filter(({ spec }) => spec?.template).map(({ metadata }) => metadata.name);
    const named = all('k8s_resource').map(({ workload }) => workload);
    expect(named.sort()).toEqual(workloads.sort());
    // Tilt's own name for what belongs to no workload.
    const known = [...named, ...all('local_resource').map(({ name }) => name), 'uncategorized'];
    for (const { resource_deps = [] } of [...all('k8s_resource'), ...all('local_resource')])
      expect(known).toEqual(expect.arrayContaining(resource_deps));
  });

  test('links the page and the API, and has a button for the tests', () => {
    const links = all('k8s_resource').flatMap((resource) => resource.links ?? []);
    expect(links.map(({ url }) => new URL(url).pathname)).toEqual(expect.arrayContaining(['/', '/docs']));
    const tests = all('local_resource').find(({ name }) => name === 'tests');
    expect(tests).toMatchObject({ cmd: ['make', 'test'], auto_init: false, trigger_mode: 'manual' });
  });

  test('copies a changed file to where the image has it, and builds anew only for other packages', () => {
    const workdir = read('Dockerfile').match(/^WORKDIR (.+)$/m)![1];
    for (const { local_path, remote_path } of steps('sync')) expect(remote_path).toBe(`${workdir}/${local_path}`);
    const synced = steps('sync').map((step) => step.local_path);
    const inTheImage = read('.dockerignore').split('\n');
    expect(inTheImage).toEqual(expect.arrayContaining(synced.map((folder) => `!${folder}`)));
    const packages = globSync(
      synced.map((folder) => `${folder}/{,*/}package.json`),
      {
        cwd: root,
        exclude: ['**/node_modules/**'],
      },
    );
    expect(packages.length).toBeGreaterThan(10);
    expect(steps('fall_back_on').flatMap((step) => step.paths)).toEqual(expect.arrayContaining(packages));
  });

  test('has the packages that source needs, which the image of a release has in its bundle', () => {
    expect(read('charts/tilt/Dockerfile')).toContain('PARLEY_PROGRAM=/parley/services/platform/src/main.ts');
    expect(read('charts/tilt/image')).toContain('--build-arg PACKAGES=node_modules');
    expect(read('Dockerfile')).toContain('COPY --from=dependencies /parley/$PACKAGES node_modules');
  });

  test('tells `restarting` of a change by the shell, since the image has no program `kill`', () => {
    expect(steps('run').map(({ cmd }) => cmd)).toEqual(['kill -USR1 1']);
  });

  test('starts Parley so that a change neither needs a new container nor is lost with one', () => {
    const deployments = deployed.filter(({ kind }) => kind === 'Deployment');
    expect(deployments).toHaveLength(6);
    for (const { metadata, spec } of deployments) {
      const [container] = spec.template.spec.containers;
      const service = metadata.name.replace('parley-', '');
      expect(container.command).toEqual(['restarting']);
      expect(container.args).toEqual(service === 'operator' ? ['operator'] : ['serve', service]);
      expect(container.securityContext).toMatchObject({
        readOnlyRootFilesystem: false,
        allowPrivilegeEscalation: false,
      });
      expect(container).not.toHaveProperty('livenessProbe');
      expect(container).toHaveProperty('readinessProbe');
    }
  });

  test('finds a namespace and signing keys, made once, but no release of Helm, and asks for what an API server takes', async () => {
    await using api = await lendApiServer();
    const kubeconfig = JSON.parse(readFileSync(api.kubeconfigFile, 'utf8'));
    kubeconfig.contexts[0].name = 'kind-parley';
    const KUBECONFIG = `${api.kubeconfigFile}.kind`;
    writeFileSync(KUBECONFIG, JSON.stringify({ ...kubeconfig, 'current-context': 'kind-parley' }));
    const prepare = () =>
      promisify(execFile)(join(root, 'charts/tilt/prepare'), { env: { ...process.env, KUBECONFIG }, timeout: 60_000 });
    const keys = async () => (await api.request('GET', '/api/v1/namespaces/parley/secrets/parley-keys')).body.data;

    await prepare();
    const made = await keys();
    expect(Object.keys(made)).toEqual([expect.stringMatching(/\.pem$/)]);
    await prepare();
    expect(await keys()).toEqual(made);
    for (const { yaml } of all('k8s_yaml'))
      await api.kubectl(
        ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-n', 'parley', '-f', '-'],
        yaml,
      );
    // A release that Helm has installed is not Tilt's to change.
    const { helm } = await findPrograms(['helm']);
    const values = ['--values', join(root, 'charts/tilt/values.yaml')];
    await promisify(execFile)(helm, [
      'install',
      'parley',
      chart,
      '-n',
      'parley',
      '--kubeconfig',
      KUBECONFIG,
      ...values,
    ]);
    await expect(prepare()).rejects.toThrow('`helm uninstall parley -n parley` makes room for Tilt');
  }, 180_000);

  test('leaves the CRDs when it is taken down, so that no ChatRoom waits for an operator that is gone', () => {
    const definitions = deployed.filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(definitions).toHaveLength(2);
    for (const { metadata } of definitions) expect(metadata.annotations['tilt.dev/down-policy']).toBe('keep');
  });

  test('runs none of the hooks of Helm, which would also uninstall', () => {
    expect(deployed.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'])).toEqual([]);
    expect(deployed.filter(({ kind }) => kind === 'Job' || kind === 'Pod')).toEqual([]);
  });

  test('knows the ports and the version of the cluster that k8s/kind makes', () => {
    const gateway = deployed.find(({ kind, metadata }) => kind === 'Service' && metadata.name === 'parley-gateway');
    const mapped = [...read('k8s/kind/cluster.yaml').matchAll(/containerPort: (\d+)/g)].map(([, port]) => Number(port));
    expect(gateway.spec.ports.map((port: any) => port.nodePort).filter(Boolean)).toEqual(mapped);
    expect(all('helm')[0].kube_version).toBe(read('k8s/kind/settings').match(/^KUBERNETES=(.+)$/m)![1]);
  });
});

test('`restarting` starts Parley again when it is told of a change, and ends with it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-restarting-'));
  try {
    writeFileSync(join(folder, 'parley'), '#!/bin/sh\necho "started $*"\nexec sleep 600\n');
    chmodSync(join(folder, 'parley'), 0o755);
    const env = { PATH: [folder, process.env['PATH']].join(delimiter) };
    const restarting = spawn(join(root, 'charts/tilt/restarting'), ['serve', 'chat'], { env });
    let output = '';
    restarting.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const starts = () => output.split('started serve chat\n').length - 1;
    await expect.poll(starts).toBe(1);
    restarting.kill('SIGUSR1');
    await expect.poll(starts).toBe(2);
    restarting.kill('SIGUSR1');
    await expect.poll(starts).toBe(3);
    restarting.kill('SIGTERM');
    // `close` comes when nobody has the pipe open any more, so the program is gone too.
    await once(restarting, 'close');
    expect(starts()).toBe(3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
