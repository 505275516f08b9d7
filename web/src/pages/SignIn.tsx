// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { Link } from '../components/Link';
import { Problem, signIn } from '../lib/api';
import { hrefTo, takeFocus } from '../lib/route';
import { Logo, ThemeButton } from '../components/Shell';

export function SignIn() {
  const [busy, work] = useState(false),
    [wrong, say] = useState(''),
    [known, know] = useState<{ email: string; password: string } | null>(null); // right so far: only the code is missing
  useEffect(() => {
    document.title = 'Sign in · Firstframe';
  }, []);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement),
      field = (name: string) => String(form.get(name) ?? '');
    const email = known?.email ?? field('email').trim(),
      password = known?.password ?? field('password');
    work(true);
    say('');
    try {
      await signIn(email, password, field('totp').replace(/\s/g, ''));
    } catch (error) {
      const text = error instanceof Problem ? error.message : 'This did not work.';
      if (!known && /six-digit code/.test(text)) know({ email, password });
      else if (!known && error instanceof Problem && error.status === 401) say('E-mail or password is not right.');
      else say(text);
      work(false);
    }
  };
  return (
    <main class="sign-in">
      <form class="card" onSubmit={e => void submit(e)}>
        <div class="card-head">
          <Logo />
          <ThemeButton />
        </div>
        <h1>{known ? 'One-time code' : 'Sign in'}</h1>
        {known ? (
          <label key="code">
            The six digits that your authenticator app shows
            <input
              name="totp"
              inputMode="numeric"
              autocomplete="one-time-code"
              required
              maxLength={12}
              ref={takeFocus}
            />
          </label>
        ) : (
          <>
            <label>
              E-mail
              <input name="email" type="email" autocomplete="username" required ref={takeFocus} />
            </label>
            <label>
              Password
              <input name="password" type="password" autocomplete="current-password" required />
            </label>
          </>
        )}
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <button type="submit" class="button primary" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
        <p class="note">
          {known ? (
            <button
              type="button"
              class="linky"
              onClick={() => {
                know(null);
                say('');
              }}
            >
              Sign in as somebody else
            </button>
          ) : (
            <Link href={hrefTo('/reset')}>Forgot the password?</Link>
          )}
        </p>
      </form>
    </main>
  );
}
