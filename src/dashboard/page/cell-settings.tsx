/** One entry of the configuration that has a say in a cell: its values, and the file and line of each. */
import type { CellSettings } from '../view.ts';
import { useSpeech } from './speech.ts';

export function Settings({ group }: { readonly group: CellSettings }) {
  const { say, reason } = useSpeech();
  const { kind, name, at, chosenBy, chosenAt, settings } = group;
  return (
    <table class="settings">
      <caption>
        {`${say(kind)} `}
        <strong>{name}</strong>
        {` (${at ?? say('builtIn')})`}
        {chosenBy !== undefined &&
          `, ${say('chosenBy', { setting: reason(chosenBy) })}${chosenAt === undefined ? '' : ` (${chosenAt})`}`}
      </caption>
      <tbody>
        {settings.map((one) => (
          <tr key={one.key}>
            <th scope="row">{one.key}</th>
            <td>{one.value}</td>
            <td class="muted">{one.at ?? say('byDefault')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
