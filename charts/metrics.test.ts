// biome-ignore-all lint/suspicious/noExplicitAny: a dashboard is looked at, not typed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Metrics } from '@parley/kit';
import { expect, test } from 'vitest';
import { chart, render, resources } from './rendering.ts';

const root = join(import.meta.dirname, '..');

/** Names of metrics in PromQL: what is followed by a selector. */
const asked = (expressions: string[]) =>
  [...new Set(expressions.flatMap((expr) => [...expr.matchAll(/([a-z_:0-9]+)\{/g)].map(([, name]) => name as string)))]
    .filter((name) => name !== 'up')
    .sort();

/** Whether the code has a metric of that name: in the kit's registry, or by name in the source of a service or the operator. */
async function knownMetrics(): Promise<(name: string) => boolean> {
  const metrics = new Metrics({ processMetrics: true });
  const inKit = new Set((await metrics.registry.getMetricsAsJSON()).map(({ name }) => name));
  const sources = ['services', 'operator'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(
        (file) =>
          file.isFile() && file.name.endsWith('.ts') && !/node_modules|\.test\./.test(join(file.parentPath, file.name)),
      )
      .map((file) => readFileSync(join(file.parentPath, file.name), 'utf8')),
  );
  const source = sources.join('\n');
  return (name) =>
    // A histogram has series of these three ends.
    [name, name.replace(/_(bucket|sum|count)$/, '')].some((base) => inKit.has(base) || source.includes(`'${base}'`));
}

test('the dashboard asks for metrics that there are', async () => {
  const dashboard = JSON.parse(readFileSync(join(chart, 'dashboards/parley.json'), 'utf8'));
  const isKnown = await knownMetrics();
  const names = asked(dashboard.panels.flatMap(({ targets = [] }: any) => targets.map(({ expr }: any) => expr)));
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !isKnown(name))).toEqual([]);
});

test('alerts ask for metrics that there are, and each says what to do', async () => {
  const rule = resources(await render({ prometheusRule: { enabled: true } })).find(
    ({ kind }) => kind === 'PrometheusRule',
  );
  const rules = rule.spec.groups.flatMap(({ rules }: any) => rules);
  const isKnown = await knownMetrics();
  expect(asked(rules.map(({ expr }: any) => expr)).filter((name) => !isKnown(name))).toEqual([]);
  for (const { alert, annotations } of rules) expect(annotations.runbook, alert).toMatch(/\S+ \S+/);
});
