/** The faults of a run, one after the other and then from the beginning. */
import type { Deployment } from './deployment.ts';
import type { Member } from './member.ts';
import { pause } from './patience.ts';

export interface Fault {
  name: string;
  /** Resolves when what was broken is back. */
  inject(): Promise<void>;
}

/** How long what was killed is away, beside the time that it needs to start. */
const awayMs = 1000;
const stoppedMs = 5000;
const cutMs = 3000;

/** In this order, so that a short run has seen the worst ones. */
export function faultsOf({ chats, gateways, users, order, payment, redis, postgres, relays }: Deployment): Fault[] {
  const [, chat, otherChat] = chats as [Member, Member, Member];
  const kill = (member: Member): Fault => ({
    name: `SIGKILL ${member.name}`,
    inject: async () => {
      await member.kill();
      await pause(awayMs);
      await member.start();
    },
  });
  const terminate = (member: Member): Fault => ({
    name: `SIGTERM ${member.name}`,
    inject: async () => {
      await member.terminate();
      await member.start();
    },
  });
  return [
    kill(chat),
    terminate(otherChat),
    {
      name: 'SIGKILL Redis',
      inject: async () => {
        await redis.kill();
        await pause(awayMs);
        await redis.restart();
      },
    },
    {
      name: 'SIGKILL PostgreSQL',
      inject: async () => {
        await postgres.kill();
        await pause(awayMs);
        await postgres.start();
      },
    },
    kill(gateways[1] as Member),
    kill(order),
    {
      name: `SIGSTOP ${otherChat.name}`,
      inject: async () => {
        otherChat.signal('SIGSTOP');
        await pause(stoppedMs);
        otherChat.signal('SIGCONT');
      },
    },
    kill(payment),
    kill(users[1] as Member),
    {
      name: 'connections reset',
      inject: async () => {
        for (const relay of relays) relay.reset();
        await pause(cutMs);
        for (const relay of relays) relay.mend();
      },
    },
    kill(otherChat),
    {
      name: 'network silent',
      inject: async () => {
        for (const relay of relays) relay.silence();
        await pause(cutMs);
        for (const relay of relays) relay.reset();
        for (const relay of relays) relay.mend();
      },
    },
    terminate(gateways[1] as Member),
  ];
}
