/** Who has no token: a name of his own in open mode, and never that of a registered user. */
import { randomBytes, randomInt } from 'node:crypto';
import { AppError, type RpcClient } from '@parley/kit';
import type { Identity } from '../hub/hub.ts';
import { Violations } from '../json/read.ts';
import { Remembered } from './remembered.ts';

export function newGuest(): Identity {
  return { userId: `guest-${randomBytes(8).toString('hex')}`, username: `Guest ${randomInt(1000, 10_000)}` };
}

const isUserId = (text: string) => /^[1-9]\d{0,17}$/.test(text);

/** As chat allows it over REST and gRPC. */
const mostNameCharacters = 128;

/** Asks who is registered and which rooms are for members, and remembers it for 5 s. */
export class Guests {
  readonly #auth: RpcClient<'auth.AuthService'>;
  readonly #chat: RpcClient<'chat.ChatService'>;
  readonly #serviceToken: () => string;
  readonly #registered = new Remembered<boolean>();
  readonly #openTo = new Remembered<void>();

  constructor(auth: RpcClient<'auth.AuthService'>, chat: RpcClient<'chat.ChatService'>, serviceToken: () => string) {
    this.#auth = auth;
    this.#chat = chat;
    this.#serviceToken = serviceToken;
  }

  /**
   * @throws AppError PERMISSION_DENIED where the id or the name is a registered user's, INVALID_ARGUMENT where one is too
   * long to be asked for and remembered
   */
  async check({ userId, username }: Identity): Promise<void> {
    const wrong = new Violations();
    for (const [field, { length }] of Object.entries({ user_id: userId, username })) {
      if (length > mostNameCharacters)
        wrong.add(field, `is ${length} characters; 1 to ${mostNameCharacters} are allowed`);
    }
    wrong.check();
    const registered = await this.#registered.get(`${userId}\n${username}`, () => this.#lookUp(userId, username));
    if (!registered) return;
    throw new AppError(
      'PERMISSION_DENIED',
      'this user_id or username belongs to a registered user: sign in to speak in that name',
    );
  }

  /**
   * A guest who calls himself by the id of a user without a password is not that user: what is for members only stays shut.
   * @throws AppError UNAUTHENTICATED
   */
  async checkRoom(roomId: string, { userId }: Identity): Promise<void> {
    if (!isUserId(userId)) return;
    await this.#openTo.get(roomId, async () => {
      try {
        await this.#chat.getRoomInfo({ room_id: roomId }, { token: undefined });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
      }
    });
  }

  /**
   * What a guest hears when chat, asked by the hub as a service, does not let him into a room: of one that is private, that
   * he is to sign in. Anything else stays as it is.
   */
  async explained(error: unknown, roomId: string): Promise<unknown> {
    if (!(error instanceof AppError) || error.code !== 'PERMISSION_DENIED') return error;
    try {
      await this.#chat.getRoomInfo({ room_id: roomId }, { token: undefined });
    } catch (asGuest) {
      if (asGuest instanceof AppError && asGuest.code === 'UNAUTHENTICATED') return asGuest;
    }
    return error;
  }

  async #lookUp(userId: string, username: string): Promise<boolean> {
    const user_ids = isUserId(userId) ? [userId] : [];
    const { users } = await this.#auth.lookupUsers(
      { usernames: [username], user_ids },
      { token: this.#serviceToken() },
    );
    return users.some(({ registered }) => registered);
  }
}
