/** Loads every module that a command may load later, for the image's build: each is there, and V8's work on it is kept. */
import './serve.ts';
import './migrate.ts';
import './keys.ts';
import './operate.ts';
import './cleanup.ts';
import './smoke.ts';
import '@kubernetes/client-node';
import '@opentelemetry/sdk-node';
import '@parley/chat';
import '@parley/chat/log/database/index';
import '@parley/chat/log/redis/index';
import '@parley/client/cli/commands';
import '@parley/gateway';
import '@parley/order';
import '@parley/payment';
import '@parley/user';
import '@parley/web';

process.exit(0);
