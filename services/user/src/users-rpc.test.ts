import { sharedFixture } from '@parley/kit/testing/fixture';
import { describe, expect, test } from 'vitest';
import { type Store, stores } from './testing/stores.ts';
import { failure, serveUsers, type UserServer } from './testing/user-server.ts';

describe.each(stores)('user.UserService on $name', ({ open }) => {
  let store: Store;
  let server: UserServer;
  let count = 0;
  const someone = () => {
    count++;
    return { username: `someone-${count}`, email: `someone-${count}@example.com`, full_name: `Some One ${count}` };
  };
  const create = async (profile = someone()) => (await server.users.createUser(profile)).user!;

  sharedFixture(async (stack) => {
    store = stack.use(await open());
    server = stack.use(await serveUsers({ database: store.database }));
  });

  test('a user who was made is read back whole, with times in RFC 3339, UTC', async () => {
    const profile = someone();
    const made = await create(profile);
    expect(made).toMatchObject(profile);
    expect(Number(made.id)).toBeGreaterThan(0);
    expect(made.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(made.updated_at).toBe(made.created_at);
    expect((await server.users.getUser({ id: made.id })).user).toEqual(made);
  });

  test('the names that load generators and people use are accepted as they are', async () => {
    for (const username of ['alice', `uAB3DEFGHJ9-${count}`, 'sub-12', 'pub-3', 'a', 'A.b_c-d', '7', 'x'.repeat(64)]) {
      expect((await create({ ...someone(), username })).username).toBe(username);
    }
  });

  test('an unknown id is NOT_FOUND, and one that cannot be is INVALID_ARGUMENT', async () => {
    for (const call of [server.users.getUser, server.users.deleteUser]) {
      expect(await failure(call({ id: 123_456_789 }))).toMatchObject({
        code: 'NOT_FOUND',
        message: 'user 123456789 does not exist',
      });
      for (const id of [0, -1]) {
        expect(await failure(call({ id }))).toMatchObject({
          code: 'INVALID_ARGUMENT',
          details: { fields: [{ field: 'id', description: `is ${id}; a positive whole number is allowed` }] },
        });
      }
    }
    const change = { ...someone(), id: 123_456_789 };
    expect((await failure(server.users.updateUser(change))).code).toBe('NOT_FOUND');
  });

  test('all the fields that are wrong are named at once, with value and what is allowed', async () => {
    const error = await failure(
      server.users.createUser({ username: 'no spaces', email: 'nobody', full_name: 'x'.repeat(201) }),
    );
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.details.fields?.map(({ field }) => field)).toEqual(['username', 'email', 'full_name']);
    expect(error.message).toContain('username is "no spaces"; 1 to 64 letters');
    expect(error.message).toContain('email is "nobody"; an address such as name@example.com');
    expect(error.message).toContain('full_name has 201 characters; at most 200 are allowed');
    expect((await failure(server.users.createUser({}))).message).toContain('username is empty');
  });

  test('a name or an address is taken in whatever case, and the answer says which', async () => {
    const { username, email } = await create();
    const same = { username: username.toUpperCase(), email: email.toUpperCase(), full_name: '' };
    const both = await failure(server.users.createUser(same));
    expect(both).toMatchObject({ code: 'ALREADY_EXISTS', details: { reason: 'USERNAME_TAKEN' } });
    expect(both.details.fields?.map(({ field }) => field)).toEqual(['username', 'email']);
    const address = await failure(server.users.createUser({ ...someone(), email: same.email }));
    expect(address).toMatchObject({ code: 'ALREADY_EXISTS', details: { reason: 'EMAIL_TAKEN' } });
    expect(address.message).toBe(`email "${same.email}" is taken; choose another`);
  });

  test('of 50 callers who want one name at once, one has it and the others are told', async () => {
    const { username } = someone();
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, () => server.users.createUser({ ...someone(), username })),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  test('calls that travel together have each their own answer', async () => {
    const taken = await create();
    const profiles = Array.from({ length: 200 }, (_, i) =>
      i % 10 === 3 ? { ...someone(), username: taken.username } : someone(),
    );
    const answers = await Promise.allSettled(profiles.map((profile) => server.users.createUser(profile)));
    const ids = new Set<string>();
    answers.forEach((answer, i) => {
      if (i % 10 === 3) expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'ALREADY_EXISTS' } });
      else {
        expect(answer).toMatchObject({ status: 'fulfilled', value: { user: profiles[i] } });
        if (answer.status === 'fulfilled') ids.add(answer.value.user!.id);
      }
    });
    expect(ids.size).toBe(180);
    const read = await Promise.allSettled([...ids, '123456789'].map((id) => server.users.getUser({ id })));
    expect(read.slice(0, -1).map((answer) => answer.status === 'fulfilled' && answer.value.user?.id)).toEqual([...ids]);
    expect(read.at(-1)).toMatchObject({ reason: { code: 'NOT_FOUND' } });
    expect(await server.metrics.registry.metrics()).toMatch(/user_batch_calls_count\{operation="create"\}/);
  });

  test('an update without a mask replaces all three fields, and requires two of them', async () => {
    const made = await create();
    const profile = { ...someone(), full_name: '' };
    const { user } = await server.users.updateUser({ id: made.id, ...profile });
    expect(user).toMatchObject({ ...profile, id: made.id, created_at: made.created_at });
    expect(Date.parse(user!.updated_at)).toBeGreaterThanOrEqual(Date.parse(made.updated_at));
    expect((await server.users.getUser({ id: made.id })).user).toEqual(user);
    const missing = await failure(server.users.updateUser({ id: made.id, full_name: 'x' }));
    expect(missing.details.fields?.map(({ field }) => field)).toEqual(['username', 'email']);
  });

  test('a mask names what is replaced; the answer is the whole user all the same', async () => {
    const made = await create();
    const change = { id: made.id, full_name: 'New', username: '', update_mask: { paths: ['full_name'] } };
    const { user } = await server.users.updateUser(change);
    expect(user).toEqual({ ...made, full_name: 'New', updated_at: user!.updated_at });
    const nothing = await server.users.updateUser({ id: made.id, username: 'ignored', update_mask: { paths: [] } });
    expect(nothing.user).toEqual(user);
    const unknown = await failure(server.users.updateUser({ id: made.id, update_mask: { paths: ['id', 'role'] } }));
    expect(unknown).toMatchObject({ code: 'INVALID_ARGUMENT', details: { fields: [{ field: 'update_mask' }] } });
    expect(unknown.message).toContain('"id", "role"; username, email, full_name and * are allowed');
  });

  test('an update to a taken name or address is ALREADY_EXISTS; to the same in another case it is fine', async () => {
    const [one, other] = [await create(), await create()];
    const mask = (path: string) => ({ update_mask: { paths: [path] } });
    const name = { id: other.id, username: one.username.toUpperCase(), ...mask('username') };
    expect(await failure(server.users.updateUser(name))).toMatchObject({ details: { reason: 'USERNAME_TAKEN' } });
    const address = { id: other.id, email: one.email, ...mask('email') };
    expect(await failure(server.users.updateUser(address))).toMatchObject({ details: { reason: 'EMAIL_TAKEN' } });
    const own = { id: one.id, username: one.username.toUpperCase(), ...mask('username') };
    expect((await server.users.updateUser(own)).user?.username).toBe(one.username.toUpperCase());
  });

  test('a deleted user is gone, and his address is free', async () => {
    const { id, email } = await create();
    expect(await server.users.deleteUser({ id })).toEqual({ success: true });
    expect((await failure(server.users.getUser({ id }))).code).toBe('NOT_FOUND');
    expect((await failure(server.users.deleteUser({ id }))).code).toBe('NOT_FOUND');
    expect((await create({ ...someone(), email })).email).toBe(email);
  });

  test("a deleted user's name is free only after the delay", async () => {
    const { id, username } = await create();
    const [other] = [await create()];
    await server.users.deleteUser({ id });
    expect(await failure(server.users.createUser({ ...someone(), username }))).toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { reason: 'USERNAME_TAKEN' },
    });
    await using afterwards = await serveUsers({ database: store.database, settings: { nameReleaseDays: 0 } });
    const again = await afterwards.users.createUser({ ...someone(), username });
    expect(again.user?.id).not.toBe(id);
    await server.users.deleteUser({ id: again.user!.id });
    const renamed = { id: other.id, username, update_mask: { paths: ['username'] } };
    expect((await failure(server.users.updateUser(renamed))).code).toBe('ALREADY_EXISTS');
    expect((await afterwards.users.updateUser(renamed)).user?.username).toBe(username);
  });

  test('pages are of 20 unless 1 to 100 is asked for, in the order of creation, with the total', async () => {
    for (let i = 0; i < 110; i += 10) await Promise.all(Array.from({ length: 10 }, () => create()));
    const first = await server.users.listUsers({});
    expect(first.users).toHaveLength(20);
    expect(first.total).toBeGreaterThanOrEqual(110);
    const sizes: [number, number][] = [
      [-1, 20],
      [0, 20],
      [1, 1],
      [100, 100],
      [101, 20],
      [2_147_483_647, 20],
    ];
    for (const [page_size, length] of sizes)
      expect((await server.users.listUsers({ page: 1, page_size })).users).toHaveLength(length);
    for (const page of [-5, 0, 1]) expect((await server.users.listUsers({ page })).users).toEqual(first.users);
    const second = await server.users.listUsers({ page: 2 });
    const ids = [...first.users, ...second.users].map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(new Set(ids).size).toBe(40);
    const beyond = await server.users.listUsers({ page: 2_147_483_647, page_size: 100 });
    expect(beyond).toEqual({ users: [], total: first.total });
  });
});
