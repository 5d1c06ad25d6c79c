/** Golden files that a reviewer can read: what a set of values changes, not everything again. */
import { parse } from 'yaml';

const source = /^# Source: parley\/(\S+)$/m;

/** The manifests of a rendering by what they are, such as `Service/parley-user`, without what is checked elsewhere. */
function manifests(rendered: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const text of rendered.split(/^---\n/m)) {
    const resource = parse(text, { merge: true });
    // The CRDs are generated, and `make check` sees that they are up to date.
    if (resource === null || source.exec(text)?.[1]?.startsWith('templates/crds/')) continue;
    const whole = text.replace(/^( {2}parley\.json: \|-\n)[\s\S]*/m, '$1    # dashboards/parley.json\n');
    found.set(`${resource.kind}/${resource.metadata.name}`, whole);
  }
  return found;
}

/** The defaults in whole, every other set as what it changes about them. */
export function readable(name: string, rendered: Map<string, string>): string {
  const base = manifests(rendered.get('defaults')!);
  const own = manifests(rendered.get(name)!);
  const shown = [...own].filter(([id, text]) => name === 'defaults' || base.get(id) !== text).map(([, text]) => text);
  const gone = [...base.keys()].filter((id) => !own.has(id));
  const same = name === 'defaults' ? [] : [...own].filter(([id, text]) => base.get(id) === text).map(([id]) => id);
  const list = (title: string, ids: string[]) =>
    ids.length === 0 ? [] : [`# ${title}:`, ...ids.map((id) => `#   ${id}`)];
  const header = [
    `# helm template with the values \`${name}\` of charts/rendering.ts. UPDATE_GOLDEN=1 vitest run charts writes this file.`,
    ...list('Not there, unlike in defaults.yaml', gone),
    ...list('The same as in defaults.yaml', same),
  ];
  return `${header.join('\n')}\n${shown.map((text) => `---\n${text}`).join('')}`;
}
