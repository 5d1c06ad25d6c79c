// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
import { describe, test } from 'vitest';
import { apply, channel, condition, events, http, kubectl, register, room, tryKubectl } from './cluster.ts';

const admin = async () =>
  (await http('POST', '/v1/auth/login', { username: 'root', password: 'correct horse' })).body.access_token as string;

describe.concurrent('rooms as resources', () => {
  test('what the schema refuses is refused with the name of the field', async ({ expect }) => {
    const { code, out } = await tryKubectl(['apply', '-f', '-'], room('bad', 'maxMembers: -1'));
    expect(code).not.toBe(0);
    expect(out).toContain('spec.maxMembers');
    await apply(room('fixed', 'roomId: fixed'));
    const changed = await tryKubectl(['apply', '-f', '-'], room('fixed', 'roomId: other'));
    expect(changed.out).toContain('roomId');
    expect(changed.code).not.toBe(0);
  });

  test('a room that somebody edits behind the back of the operator is put right, and it says so', async ({
    expect,
  }) => {
    await apply(room('drifting', 'topic: as declared'));
    await expect.poll(() => condition('drifting', 'Ready').then((c) => c?.status)).toBe('True');
    const token = await admin();
    using grpc = channel(() => token);
    const rooms = grpc.client('chat.RoomAdminService');
    const { owner } = await rooms.getRoom({ room_id: 'drifting' });
    await rooms
      .applyRoom({ room_id: 'drifting', spec: { display_name: 'Mine now', topic: 'changed' }, owner, fence: '9' })
      .catch(() => undefined);
    await expect
      .poll(async () => (await rooms.getRoom({ room_id: 'drifting' })).spec?.topic, { timeout: 40_000 })
      .toBe('as declared');
    await expect.poll(() => condition('drifting', 'Drifted').then((c) => c?.status), { timeout: 30_000 }).toBe('True');
    expect(await events()).toMatch(/drifting .*Drift/);
  });

  test('a deleted resource takes its room along, and its history where it says so', async ({ expect }) => {
    const ada = await register();
    await apply(room('gone', 'deletionPolicy: Delete'));
    await expect
      .poll(async () => (await http('POST', '/v1/rooms/gone/messages', { content: 'soon gone' }, ada.token)).status)
      .toBe(200);
    await kubectl(['delete', 'room', 'gone', '--timeout=60s']);
    expect((await http('GET', '/v1/rooms/gone', undefined, ada.token)).status).toBe(404);
  });
});
