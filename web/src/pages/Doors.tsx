// SPDX-License-Identifier: Apache-2.0
// The pages in front of the sign-in: setting a fresh server up, accepting an invitation, choosing a new password. The
// secrets of links stand behind the '#', which browsers keep to themselves.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Code } from '../components/Dialog';
import { Link } from '../components/Link';
import { Logo, ThemeButton } from '../components/Shell';
import { Problem, send, signIn } from '../lib/api';
import { go, hrefTo, takeFocus } from '../lib/route';
import { fullMoment } from '../lib/time';

const wrongOf = (error: unknown) => (error instanceof Problem ? error.message : 'This did not work.');
const secretOfLink = () => location.hash.slice(1);
// Another link may be pasted into the same page.
function useSecretOfLink(): string {
  const [secret, set] = useState(secretOfLink);
  useEffect(() => {
    const take = () => set(secretOfLink());
    addEventListener('hashchange', take);
    return () => removeEventListener('hashchange', take);
  }, []);
  return secret;
}
const toStart = () => go(hrefTo('/'), true);

function Door({ title, children }: { title: string; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · Firstframe`;
  }, [title]);
  return (
    <main class="sign-in">
      <div class="card">
        <div class="card-head">
          <Logo />
          <ThemeButton />
        </div>
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

// A form that does one thing; what is wrong stands above its button.
function Form({
  yes,
  act,
  children,
}: {
  yes: string;
  act: (field: (name: string) => string) => Promise<void>;
  children: ComponentChildren;
}) {
  const [busy, set] = useState(false),
    [wrong, say] = useState('');
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    set(true);
    say('');
    act(name => String(fields.get(name) ?? ''))
      .catch((error: unknown) =>
        say(error instanceof Error && !(error instanceof Problem) ? error.message : wrongOf(error)),
      )
      .finally(() => set(false));
  };
  return (
    <form class="card-form" onSubmit={submit}>
      {children}
      <p class="wrong" role="alert">
        {wrong}
      </p>
      <button type="submit" class="button primary" disabled={busy}>
        {busy ? 'One moment…' : yes}
      </button>
    </form>
  );
}

function NewPassword({ label = 'Password' }: { label?: string }) {
  return (
    <>
      <label>
        {label}
        <input name="password" type="password" autocomplete="new-password" required minLength={8} />
        <span class="hint">At least 8 characters.</span>
      </label>
      <label>
        The same again
        <input name="again" type="password" autocomplete="new-password" required minLength={8} />
      </label>
    </>
  );
}
function same(field: (name: string) => string): string {
  if (field('password') !== field('again')) throw new Error('The two passwords differ.');
  return field('password');
}

// The signed-in page, or the sign-in page when a code is needed too.
async function enter(email: string, password: string): Promise<void> {
  await signIn(email, password, '').catch(() => undefined);
  toStart();
}

interface Made {
  environment_id: string;
  env_key: string;
  token_id: string;
  token_secret: string;
}
export function Setup() {
  const [needed, know] = useState<boolean | null>(null),
    [wrong, say] = useState(''),
    [made, show] = useState<{ made: Made; email: string; password: string } | null>(null);
  const look = () => {
    say('');
    send<{ data: { needed: boolean } }>('GET', '/api/setup').then(
      a => know(a.data.needed),
      (e: unknown) => say(wrongOf(e)),
    );
  };
  useEffect(look, []);
  if (made)
    return (
      <Door title="Your server is ready">
        <p>Players send this key with every beacon; it is no secret.</p>
        <Code label="Env key" text={made.made.env_key} />
        <p>
          With this access token, programs may do everything in the environment. The secret is shown this once; you can
          make others at any time.
        </p>
        <Code label="Token id" text={made.made.token_id} />
        <Code label="Token secret" text={made.made.token_secret} />
        <button
          type="button"
          class="button primary"
          onClick={() => void enter(made.email, made.password).then(() => go(hrefTo('/start')))}
        >
          Add a player
        </button>
      </Door>
    );
  if (wrong)
    return (
      <Door title="Set up Firstframe">
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <button type="button" class="button primary" onClick={look}>
          Try again
        </button>
      </Door>
    );
  if (needed === null) return <main class="sign-in" aria-busy="true" />;
  if (!needed)
    return (
      <Door title="This server is set up">
        <p>It has an account already. Further people come by an invitation.</p>
        <Link href={hrefTo('/')} class="button primary">
          Sign in
        </Link>
      </Door>
    );
  return (
    <Door title="Set up Firstframe">
      <p class="note">This server has no account yet. You become its owner.</p>
      <Form
        yes="Set up"
        act={async field => {
          const email = field('email').trim(),
            password = same(field);
          const answer = await send<{ data: Made }>('POST', '/api/setup', {
            code: field('code').trim(),
            email,
            password,
            name: field('name').trim(),
            organization: field('organization').trim(),
            environment: field('environment').trim(),
          });
          show({ made: answer.data, email, password });
        }}
      >
        <label>
          Code
          <input
            name="code"
            required
            maxLength={40}
            autocomplete="off"
            spellcheck={false}
            placeholder="ABCD-EFGH-JKMN"
            ref={takeFocus}
          />
          <span class="hint">The server printed it in its terminal when it started.</span>
        </label>
        <label>
          Your e-mail
          <input name="email" type="email" autocomplete="username" required maxLength={254} />
        </label>
        <label>
          Your name
          <input name="name" autocomplete="name" maxLength={128} dir="auto" />
        </label>
        <NewPassword />
        <label>
          Organization
          <input
            name="organization"
            autocomplete="organization"
            maxLength={128}
            placeholder="My organization"
            dir="auto"
          />
        </label>
        <label>
          First environment
          <input name="environment" autocomplete="off" maxLength={128} placeholder="Production" dir="auto" />
        </label>
      </Form>
    </Door>
  );
}

interface Invited {
  email: string;
  role: string;
  organization_name: string;
  environment_name: string | null;
  exists: boolean;
  expires_at: number;
}
export function Invitation() {
  const [invited, know] = useState<Invited | null>(null),
    [wrong, say] = useState(''),
    token = useSecretOfLink();
  useEffect(() => {
    know(null);
    say('');
    send<{ data: Invited }>('POST', '/api/invitations/look', { token }).then(
      a => know(a.data),
      (e: unknown) => say(wrongOf(e)),
    );
  }, [token]);
  if (wrong)
    return (
      <Door title="Invitation">
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <Link href={hrefTo('/')} class="button">
          Sign in
        </Link>
      </Door>
    );
  if (!invited) return <main class="sign-in" aria-busy="true" />;
  return (
    <Door title={`Join ${invited.organization_name}`}>
      <p>
        You are invited as <strong>{invited.role}</strong>
        {invited.environment_name ? (
          <>
            {' '}
            to <bdi>{invited.environment_name}</bdi>
          </>
        ) : null}
        . <span class="hint">Valid until {fullMoment(invited.expires_at * 1000)}.</span>
      </p>
      <Form
        yes="Accept"
        act={async field => {
          const password = invited.exists ? field('password') : same(field);
          await send('POST', '/api/invitations/accept', { token, password, name: field('name').trim() });
          await enter(invited.email, password);
        }}
      >
        <label>
          E-mail
          <input type="email" name="email" value={invited.email} autocomplete="username" readOnly />
        </label>
        {invited.exists ? (
          <label>
            Your password
            <input name="password" type="password" autocomplete="current-password" required ref={takeFocus} />
            <span class="hint">You have an account here: the password you sign in with.</span>
          </label>
        ) : (
          <>
            <label>
              Your name
              <input name="name" autocomplete="name" maxLength={128} dir="auto" ref={takeFocus} />
            </label>
            <NewPassword />
          </>
        )}
      </Form>
    </Door>
  );
}

function AskForReset() {
  const [asked, say] = useState<{ email: string; mails: boolean } | null>(null);
  if (asked)
    return (
      <Door title={asked.mails ? 'Look into your mail' : 'Ask an administrator'}>
        {asked.mails ? (
          <p>
            If <bdi>{asked.email}</bdi> has an account here, a link is on its way. It is valid for an hour.
          </p>
        ) : (
          <p>
            This server sends no mail. An administrator can make the link under Settings, People; whoever runs the
            server, with <code>firstframe user reset</code>.
          </p>
        )}
        <Link href={hrefTo('/')} class="button">
          Back to the sign-in
        </Link>
      </Door>
    );
  return (
    <Door title="A new password">
      <p class="note">You get a link with which you choose a new password.</p>
      <Form
        yes="Send the link"
        act={async field => {
          const email = field('email').trim();
          const answer = await send<{ data: { mails: boolean } }>('POST', '/api/password-resets', { email });
          say({ email, mails: answer.data.mails });
        }}
      >
        <label>
          E-mail
          <input name="email" type="email" autocomplete="username" required maxLength={254} ref={takeFocus} />
        </label>
      </Form>
      <p class="note">
        <Link href={hrefTo('/')}>Back to the sign-in</Link>
      </p>
    </Door>
  );
}

export function Reset() {
  const token = useSecretOfLink(),
    [done, finish] = useState(false);
  if (done)
    return (
      <Door title="The new password holds">
        <p>All sessions have ended. Sign in with the new password.</p>
        <Link href={hrefTo('/')} class="button primary">
          Sign in
        </Link>
      </Door>
    );
  if (!token) return <AskForReset />;
  return (
    <Door title="Choose a new password">
      <Form
        yes="Save the password"
        act={async field => {
          await send('POST', '/api/password-resets/finish', { token, password: same(field) });
          history.replaceState(null, '', '/reset');
          finish(true);
        }}
      >
        <NewPassword label="New password" />
      </Form>
      <p class="note">
        <a href="/reset">Ask for another link</a>
      </p>
    </Door>
  );
}
