// SPDX-License-Identifier: Apache-2.0
import { DIMENSIONS, nameOf } from '../lib/catalog';
import { Icon } from './Icon';
import { Picker } from './Picker';
import { Popover } from './Popover';

const options = DIMENSIONS.filter(d => d.id !== 'environment_id')
  .map(d => ({ value: d.id as string, label: nameOf(d.id) }))
  .sort((a, b) => a.label.localeCompare(b.label));

// Chooses a dimension; shows the one in use, or a name for what it would add.
export function DimensionButton({
  by,
  name,
  pick,
  label,
  without = [],
}: {
  by: string | null;
  name: string;
  pick: (id: string) => void;
  label: string;
  without?: string[];
}) {
  return (
    <Popover
      label={`${label}: ${by ? nameOf(by) : name}`}
      class="button"
      align="right"
      button={
        <>
          <span>{by ? nameOf(by) : name}</span>
          <Icon name="right" />
        </>
      }
    >
      {close => (
        <Picker
          label="Dimension"
          options={options.filter(o => !without.includes(o.value))}
          pick={id => {
            pick(id);
            close();
          }}
        />
      )}
    </Popover>
  );
}
