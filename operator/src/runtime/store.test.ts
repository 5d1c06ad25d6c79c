import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from './resource.ts';
import { Store } from './store.ts';

const object = (name: string, resourceVersion: string, service = ''): KubeObject => ({
  metadata: { namespace: 'default', name, resourceVersion, labels: { service } },
});
const indexes = { service: (o: KubeObject) => (o.metadata.labels?.['service'] ? [o.metadata.labels['service']] : []) };

test('the same version again is no change', () => {
  const store = new Store();
  expect(store.set(object('a', '1'))?.type).toBe('added');
  expect(store.set(object('a', '1'))).toBeUndefined();
  expect(store.set(object('a', '2'))?.type).toBe('modified');
  expect(store.delete('default/a')?.type).toBe('deleted');
  expect(store.delete('default/a')).toBeUndefined();
});

test('an index that is not there is an error that names those that are', () => {
  expect(() => new Store<KubeObject>(indexes).byIndex('owner', 'x')).toThrow(/no index owner; it has service/);
});

const objects = fc.uniqueArray(
  fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), version: fc.nat(3), service: fc.constantFrom('', 'x', 'y') }),
  { selector: (o) => o.name },
);

test('after replace the store is the list, its indexes agree, and the changes turn the old into the new', () => {
  fc.assert(
    fc.property(objects, objects, (before, after) => {
      const make = (list: typeof before) => list.map((o) => object(o.name, String(o.version), o.service));
      const store = new Store<KubeObject>(indexes);
      store.replace(make(before));
      const followed = new Map([...store.values()].map((o) => [o.metadata.name, o]));
      for (const change of store.replace(make(after))) {
        if (change.type === 'deleted') followed.delete(change.object.metadata.name);
        else followed.set(change.object.metadata.name, change.object);
      }
      expect([...store.keys()].sort()).toEqual(after.map((o) => `default/${o.name}`).sort());
      expect(new Set(followed.values())).toEqual(new Set(store.values()));
      for (const service of ['x', 'y']) {
        const found = store.byIndex('service', service).map((o) => o.metadata.name);
        const actual = [...store.values()].filter((o) => o.metadata.labels?.['service'] === service);
        expect(found.sort()).toEqual(actual.map((o) => o.metadata.name).sort());
      }
    }),
  );
});

test('an object that was deleted and made again under its name is one that goes and one that comes', () => {
  const store = new Store<KubeObject>(indexes);
  const named = (uid: string, resourceVersion: string) => ({
    metadata: { namespace: 'default', name: 'a', uid, resourceVersion },
  });
  store.replace([named('first', '1')]);
  const changes = store.replace([named('second', '3')]);
  expect(changes.map(({ type, object: { metadata } }) => [type, metadata.uid])).toEqual([
    ['deleted', 'first'],
    ['added', 'second'],
  ]);
});
