// SPDX-License-Identifier: Apache-2.0
// The daily files of all views.
import { Panel, States } from '../../components/Panel';
import { useAsk } from '../../lib/api';
import type { Envelope } from '../../lib/asks';
import { csv } from '../../lib/csv';

interface ExportDay {
  export_date: string;
  files: { version: number; type: string; path: string; bytes?: number; rows?: number }[];
}
interface Making {
  export_date: string;
  rows_done: number;
  rows_total: number;
  days_waiting: number;
}

export function Exports() {
  const ask = { path: '/data/v1/exports/views', params: [] },
    answer = useAsk<Envelope<ExportDay[]> & { meta?: { making: Making | null } }>(ask);
  const format = new Intl.NumberFormat(),
    making = answer.data?.meta?.making;
  return (
    <Panel
      title="Daily files"
      note="every view of a day"
      requests={[{ label: 'Exports', ask }]}
      csv={
        answer.data &&
        (() =>
          csv(
            ['export_date', 'type', 'version', 'rows', 'bytes'],
            answer.data!.data.flatMap(d => d.files.map(f => [d.export_date, f.type, f.version, f.rows, f.bytes])),
          ))
      }
    >
      {making && (
        <p class="note">
          {making.export_date} is being made: {format.format(making.rows_done)} of {format.format(making.rows_total)}{' '}
          views; {making.days_waiting} more {making.days_waiting === 1 ? 'day waits' : 'days wait'}.
        </p>
      )}
      <States
        of={answer}
        empty={a => a.data.length === 0}
        emptyText="No day is complete yet; the first file comes after midnight UTC."
      >
        {a => (
          <div class="table-wrap" tabIndex={0} role="region" aria-label="The files">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">Day</th>
                  <th scope="col">File</th>
                  <th scope="col" class="num">
                    Views
                  </th>
                  <th scope="col" class="num">
                    Size
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.flatMap(d =>
                  d.files.map(f => (
                    <tr>
                      <td class="when">{d.export_date}</td>
                      <td>
                        {/^(https?:\/\/|\/)/.test(f.path) ? (
                          <a href={f.path} download>
                            {f.type}
                          </a>
                        ) : (
                          f.type
                        )}
                      </td>
                      <td class="num">{f.rows === undefined ? '' : format.format(f.rows)}</td>
                      <td class="num">
                        {f.bytes === undefined ? '' : `${format.format(Math.ceil(f.bytes / 1024))} kB`}
                      </td>
                    </tr>
                  )),
                )}
              </tbody>
            </table>
          </div>
        )}
      </States>
    </Panel>
  );
}
