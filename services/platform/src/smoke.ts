/** `parley smoke`: registers, signs in, talks in a room and reads it back through a gateway; what `helm test` runs. */
import { randomUUID } from 'node:crypto';
import { KeyRing, RpcChannel, StartError, serviceTokens } from '@parley/kit';

export interface SmokeOptions {
  /** The gateway's HTTP address. */
  url: string;
  /** The gateway's gRPC address. */
  grpc: string;
  /** The folder of signing keys: the room is declared in the operator's name. */
  keys: string;
}

/** Says what it does, a line each. @throws StartError with what went wrong. */
export async function smoke({ url, grpc, keys }: SmokeOptions): Promise<void> {
  const room_id = `smoke-${randomUUID()}`;
  const username = `smoke-${randomUUID().slice(0, 8)}`;
  const password = randomUUID();
  using channel = new RpcChannel({ address: grpc, token: serviceTokens(new KeyRing(keys), 'smoke') });
  const rooms = channel.client('chat.RoomAdminService');
  const owner = { namespace: 'smoke', name: room_id, uid: room_id };
  const http = caller(url);

  await rooms.applyRoom({ room_id, spec: { display_name: 'Smoke test' }, owner });
  say(`declared the room ${room_id}`);
  try {
    const registered = await http('POST', '/v1/auth/register', {
      username,
      email: `${username}@example.com`,
      password,
    });
    say(`registered ${username}`);
    const session = await http('POST', '/v1/auth/login', { username, password });
    const token = session['access_token'] as string;
    say('signed in');
    const sent = await http('POST', `/v1/rooms/${room_id}/messages`, { content: 'Is anybody there?' }, token);
    say(`sent a message, number ${sent['sequence']}`);
    const read = await http('GET', `/v1/rooms/${room_id}/messages`, undefined, token);
    const there = (read['messages'] as { id: string }[]).some(({ id }) => id === sent['message_id']);
    if (!there) throw new StartError('the message that was acknowledged is not in the room', 1);
    say('read it back');
    const { id } = registered['user'] as { id: string };
    await http('DELETE', `/v1/users/${id}`, undefined, token);
  } finally {
    await rooms.deleteRoom({ room_id, owner });
  }
  say('took everything away again: all is well');
}

const say = (line: string) => console.log(line);

function caller(url: string) {
  return async (method: string, path: string, body?: object, token?: string): Promise<Record<string, unknown>> => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(15_000),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok)
      throw new StartError(
        `${method} ${path} was answered ${response.status}: ${answer['detail'] ?? JSON.stringify(answer)}`,
        1,
      );
    return answer;
  };
}
