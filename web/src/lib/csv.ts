// SPDX-License-Identifier: Apache-2.0
// Tables as CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay numbers.
export type Cell = string | number | boolean | null | undefined;

export function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'string') return String(cell);
  const safe =
    /^[\s\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]/.test(cell) ||
    /^[\t\r\n]/.test(cell)
      ? `'${cell}`
      : cell;
  return /[",;\r\n\t]/.test(safe) || safe !== cell ? `"${safe.replace(/"/g, '""')}"` : safe;
}

export function csv(head: string[], rows: Cell[][]): string {
  return [head, ...rows].map(row => row.map(csvCell).join(',')).join('\r\n') + '\r\n';
}

export function download(name: string, text: string, type = 'text/csv;charset=utf-8'): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name.replace(/[^\w.-]+/g, '-');
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
