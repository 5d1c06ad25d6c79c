/** user.UserService: the published protocol. */
import { implement, type ServedService } from '@parley/kit';
import { shownUser } from './account.ts';
import type { Accounts } from './accounts.ts';
import { changesUnregisteredOnly, mayChange, mayChangeAccount, mayCreate, seesEmail } from './permissions.ts';
import type { Revocations } from './revocations.ts';
import { checkFields, checkId, maskedFields } from './validation.ts';

const defaultPageSize = 20;
const largestPageSize = 100;

export function userService(accounts: Accounts, revocations: Revocations): ServedService {
  return implement(
    'user.UserService',
    { createUser: 'open', getUser: 'open', updateUser: 'open', deleteUser: 'open', listUsers: 'open' },
    {
      async createUser({ username, email, full_name }, { caller }) {
        mayCreate(caller);
        checkFields({ username, email, full_name });
        const account = await accounts.create({ username, email, full_name, password_hash: null, role: 'member' });
        return { user: shownUser(account, true) };
      },

      async getUser({ id }, { caller }) {
        checkId(id);
        const account = await accounts.get(id);
        return { user: shownUser(account, seesEmail(caller, account)) };
      },

      async updateUser(request, { caller }) {
        const { id } = request;
        checkId(id);
        mayChange(caller, id);
        const change = Object.fromEntries(maskedFields(request.update_mask).map((field) => [field, request[field]]));
        checkFields(change);
        if (changesUnregisteredOnly(caller)) mayChangeAccount(caller, await accounts.get(id));
        const { account, revoked } = await accounts.update(id, change);
        if (revoked) revocations.tell(id, revoked);
        return { user: shownUser(account, true) };
      },

      async deleteUser({ id }, { caller }) {
        checkId(id);
        mayChange(caller, id);
        if (changesUnregisteredOnly(caller)) mayChangeAccount(caller, await accounts.get(id));
        const { revoked } = await accounts.delete(id);
        if (revoked) revocations.tell(id, revoked);
        return { success: true };
      },

      async listUsers({ page, page_size }, { caller }) {
        const size = page_size < 1 || page_size > largestPageSize ? defaultPageSize : page_size;
        const { accounts: found, total } = await accounts.list(size, (Math.max(page, 1) - 1) * size);
        return { users: found.map((account) => shownUser(account, seesEmail(caller, account))), total };
      },
    },
  );
}
