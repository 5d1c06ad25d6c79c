import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { crds } from './api/index.ts';

test('the CRDs in the chart are current', async () => {
  const script = new URL('../generate.ts', import.meta.url).pathname;
  await expect(promisify(execFile)(process.execPath, [script, '--check'])).resolves.toMatchObject({ stdout: '' });
});

test('the chart has every rule of the CRDs as they are tested, none got lost on the way', () => {
  for (const crd of crds) {
    const file = new URL(`../../charts/parley/templates/crds/${crd.spec.names.plural}.yaml`, import.meta.url);
    const yaml = readFileSync(file, 'utf8').replaceAll(/^\{\{.*\}\}$/gm, '');
    expect(parse(yaml)).toEqual(JSON.parse(JSON.stringify(crd)));
  }
});
