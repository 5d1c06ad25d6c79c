import { ParleyError } from '@parley/client';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Mark } from '../parts/mark.tsx';
import { ThemeButton } from '../parts/theme-button.tsx';
import { begin } from '../state/chat.ts';
import { problemText } from '../state/problem-text.ts';
import { comeAsGuest, login, register } from '../state/sign-in.ts';
import { type Me, useApp } from '../state/store.ts';

type Mode = 'login' | 'register' | 'guest';

const words: Record<Mode, { title: string; submit: string }> = {
  login: { title: 'Welcome back', submit: 'Log in' },
  register: { title: 'Make an account', submit: 'Create account' },
  guest: { title: 'Come as a guest', submit: 'Go on as a guest' },
};

export function SignIn() {
  const { notice, wrongName } = useApp();
  const [mode, setMode] = useState<Mode>(wrongName ? 'guest' : 'login');
  const [problem, setProblem] = useState(wrongName ?? '');
  const [wrong, setWrong] = useState<readonly string[]>(wrongName ? ['username'] : []);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);

  const toWhatIsWrong = () => {
    const first = (selector: string) => form.current?.querySelector<HTMLElement>(selector);
    (first('[aria-invalid=true]') ?? first('input'))?.focus();
  };
  // At once: a moment later somebody may be typing in another field.
  useLayoutEffect(toWhatIsWrong, [mode, problem]);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem('');
    setWrong([]);
    try {
      begin(await enter(mode, new FormData(form.current!)));
    } catch (error) {
      setProblem(problemText(error));
      setWrong(error instanceof ParleyError ? (error.details.fields ?? []).map(({ field }) => field) : []);
      setBusy(false);
    }
  };
  const choose = (next: Mode) => () => {
    setMode(next);
    setProblem('');
    setWrong([]);
  };

  return (
    <main class="sign-in">
      <header class="sign-in-head">
        <span class="wordmark">
          <Mark /> Parley
        </span>
        <ThemeButton />
      </header>
      <section class="pitch" aria-hidden="true">
        <p class="display">
          Say it once.
          <br />
          It arrives once.
        </p>
        <p class="quiet">In order, on every screen, whatever happens in between.</p>
      </section>
      <form class="card" ref={form} onSubmit={submit} aria-labelledby="sign-in-title">
        <div class="tabs">
          <Tab is="login" of={mode} onClick={choose('login')} label="Log in" />
          <Tab is="register" of={mode} onClick={choose('register')} label="Register" />
          <Tab is="guest" of={mode} onClick={choose('guest')} label="Guest" />
        </div>
        <h1 id="sign-in-title" class="display">
          {words[mode].title}
        </h1>
        {(problem || notice) && (
          <p class="problem" role="alert" id="sign-in-problem" data-testid="sign-in-problem">
            {problem || notice}
          </p>
        )}
        <Fields mode={mode} wrong={wrong} />
        <button
          type="submit"
          class="primary"
          disabled={busy}
          data-testid={mode === 'guest' ? 'guest-submit' : 'submit'}
        >
          {busy ? 'One moment…' : words[mode].submit}
        </button>
      </form>
    </main>
  );
}

function Tab({ is, of, label, onClick }: { is: Mode; of: Mode; label: string; onClick: () => void }) {
  const id = is === 'guest' ? 'guest' : `mode-${is}`;
  return (
    <button type="button" class="tab" aria-pressed={is === of} onClick={onClick} data-testid={id}>
      {label}
    </button>
  );
}

function Fields({ mode, wrong }: { mode: Mode; wrong: readonly string[] }) {
  const isNew = mode === 'register';
  const told = (name: string) =>
    wrong.includes(name) ? ({ 'aria-invalid': true, 'aria-describedby': 'sign-in-problem' } as const) : {};
  return (
    <>
      <label class="field">
        <span>{mode === 'guest' ? 'What to call you' : 'Username'}</span>
        <input
          key={mode}
          name="username"
          {...told('username')}
          required
          maxLength={mode === 'guest' ? 50 : 64}
          autoComplete={mode === 'guest' ? 'nickname' : 'username'}
          autoCapitalize="none"
          spellcheck={false}
          data-testid={mode === 'guest' ? 'guest-name' : 'username'}
        />
      </label>
      {isNew && (
        <label class="field">
          <span>E-mail</span>
          <input name="email" {...told('email')} type="email" required autoComplete="email" data-testid="email" />
        </label>
      )}
      {isNew && (
        <label class="field">
          <span>
            Full name <small>if you like</small>
          </span>
          <input name="full_name" {...told('full_name')} autoComplete="name" data-testid="full-name" />
        </label>
      )}
      {mode !== 'guest' && (
        <label class="field">
          <span>Password {isNew && <small>8 characters or more</small>}</span>
          <input
            name="password"
            {...told('password')}
            type="password"
            required
            autoComplete={isNew ? 'new-password' : 'current-password'}
            data-testid="password"
          />
        </label>
      )}
      {mode === 'guest' && <p class="quiet">Guests see public rooms. Orders and private rooms need an account.</p>}
    </>
  );
}

async function enter(mode: Mode, form: FormData): Promise<Me> {
  const text = (name: string) => String(form.get(name) ?? '');
  const username = text('username').trim();
  if (mode === 'guest') return comeAsGuest(username);
  if (mode === 'login') return login(username, text('password'));
  return register({
    username,
    email: text('email').trim(),
    full_name: text('full_name').trim(),
    password: text('password'),
  });
}
