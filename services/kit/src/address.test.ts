import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressOf } from './address.ts';

test.each([
  ['10.1.2.3:54321', '10.1.2.3'],
  ['10.1.2.3', '10.1.2.3'],
  ['10.1.2.3, 172.16.0.1', '10.1.2.3'],
  ['[::ffff:10.1.2.3]:54321', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['[2001:db8:1:2:3:4:5:6]:443', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::9', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['[fe80::1%eth0]:1', 'fe80:0:0:0::/64'],
  ['unix:', 'unix:'],
])('the peer %s counts as %s', (peer, address) => {
  expect(addressOf(peer)).toBe(address);
});

test('no peer is too odd to count', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV6(), fc.ipV4()), (peer) => addressOf(peer).length <= 64));
});
