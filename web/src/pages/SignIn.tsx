// SPDX-License-Identifier: Apache-2.0
import { useState } from 'preact/hooks';
import { Problem, signIn } from '../lib/api';
import { Logo, ThemeButton } from '../components/Shell';

export function SignIn() {
  const [busy, work] = useState(false),
    [wrong, say] = useState(''),
    [code, needCode] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement),
      field = (name: string) => String(form.get(name) ?? '');
    work(true);
    say('');
    try {
      await signIn(field('email').trim(), field('password'), field('totp').replace(/\s/g, ''));
    } catch (error) {
      const text = error instanceof Problem ? error.message : 'This did not work.';
      if (/one-time|two-factor|code/i.test(text)) needCode(true);
      say(text);
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
        <h1>Sign in</h1>
        <label>
          E-mail
          <input name="email" type="email" autocomplete="username" required autofocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        {code && (
          <label>
            One-time code
            <input name="totp" inputMode="numeric" autocomplete="one-time-code" required maxLength={20} />
          </label>
        )}
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <button type="submit" class="button primary" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
        <p class="note">
          The first account is made with <code>firstframe init</code>; more with <code>firstframe user add</code>.
        </p>
      </form>
    </main>
  );
}
