// SPDX-License-Identifier: Apache-2.0
// Notes on the time axis.
import { useState } from 'preact/hooks';
import { Panel, States } from '../../components/Panel';
import { send, useAsk } from '../../lib/api';
import { pathOf } from '../../lib/ask';
import type { Envelope } from '../../lib/asks';
import { csv } from '../../lib/csv';
import { useStore } from '../../lib/store';
import { fromInput, toInput, zone } from '../../lib/time';
import { Field, FormDialog, may, useWork, when, Wrong } from './parts';

interface Annotation {
  id: string;
  note: string;
  date: string;
  sub_property_id: string | null;
}
const bodyOf = (fields: FormData) => ({
  note: String(fields.get('note')),
  date: fromInput(String(fields.get('date'))),
});

function Change({ of, close }: { of: Annotation; close: () => void }) {
  const work = useWork();
  return (
    <FormDialog
      title="Change the annotation"
      yes="Save"
      work={work}
      close={close}
      submit={fields => send('PATCH', pathOf('data', 'v1', 'annotations', of.id), bodyOf(fields))}
    >
      <Field label="Note">
        <textarea name="note" required rows={3} maxLength={2000} defaultValue={of.note} dir="auto" />
      </Field>
      <Field label="When">
        <input name="date" type="datetime-local" required defaultValue={toInput(Date.parse(of.date) / 1000)} />
      </Field>
    </FormDialog>
  );
}

export function Annotations() {
  const ask = {
    path: '/data/v1/annotations',
    params: [
      ['limit', '1000'],
      ['order_direction', 'desc'],
    ] as [string, string][],
  };
  const answer = useAsk<Envelope<Annotation[]>>(ask),
    work = useWork(),
    write = may('data:write');
  const [changed, change] = useState<Annotation | null>(null);
  useStore(zone);
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement,
      fields = new FormData(form);
    void work.run(() => send('POST', '/data/v1/annotations', bodyOf(fields))).then(done => done && form.reset());
  };
  return (
    <Panel
      title="Annotations"
      note="notes that stand on the charts of the Metrics page"
      requests={[{ label: 'Annotations', ask }]}
      csv={
        answer.data &&
        (() =>
          csv(
            ['id', 'date', 'note', 'sub_property_id'],
            answer.data!.data.map(n => [n.id, n.date, n.note, n.sub_property_id]),
          ))
      }
    >
      {write && (
        <form class="form-row" onSubmit={add}>
          <label class="field grow">
            Note
            <input name="note" required maxLength={2000} placeholder="deploy 42" dir="auto" />
          </label>
          <label class="field">
            When
            <input name="date" type="datetime-local" required defaultValue={toInput(Date.now() / 1000)} />
          </label>
          <button type="submit" class="button primary" disabled={work.busy}>
            Add
          </button>
        </form>
      )}
      <Wrong text={work.wrong} />
      <States of={answer} empty={a => a.data.length === 0} emptyText="No annotation yet.">
        {a => (
          <div class="table-wrap" tabIndex={0} role="region" aria-label="The annotations">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Note</th>
                  <th scope="col">
                    <span class="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.map(n => (
                  <tr key={n.id}>
                    <td class="when">{when(Date.parse(n.date) / 1000)}</td>
                    <td class="message" dir="auto">
                      {n.note}
                    </td>
                    <td class="acts">
                      {write && (
                        <>
                          <button type="button" class="button quiet" onClick={() => change(n)}>
                            Change
                          </button>
                          <button
                            type="button"
                            class="button quiet"
                            disabled={work.busy}
                            onClick={() =>
                              void work.run(() => send('DELETE', pathOf('data', 'v1', 'annotations', n.id)))
                            }
                          >
                            Remove
                          </button>
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </States>
      {changed && <Change of={changed} close={() => change(null)} />}
    </Panel>
  );
}
