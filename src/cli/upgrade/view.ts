import { type Style, table } from '../output.ts';
import type { UpgradeCheck, UpgradePlan } from './plan.ts';

/** The plan as text. */
export function planLines({ nodes, checks, steps, safe }: UpgradePlan, style: Style): string[] {
  const who = nodes.map(({ name, role, version }) => `${style.bold(name)} (${role}, tandem ${version})`);
  return [
    `rolling upgrade of ${who.join(' and ')}`,
    ...checks.map((check) => checkLine(check, style)),
    ...(steps.length === 0
      ? []
      : [
          '',
          ...table(
            [{ title: 'STEP' }, { title: 'ON' }, { title: 'COMMAND' }, { title: 'WHAT' }],
            steps.map(({ number, on, command, what, done, optional }) => [
              done ? style.green(`${number} done`) : String(number),
              on,
              done ? style.dim(command) : command,
              `${what}${optional ? ' (optional)' : ''}`,
            ]),
            style,
          ),
          '',
          'installed with npm instead: sudo npm install -g ./tandem-lb-VERSION.tgz && sudo systemctl restart tandem',
        ]),
    ...(safe ? [] : [style.red('do not begin before the problems are gone')]),
  ];
}

function checkLine({ severity, seen, fix }: UpgradeCheck, style: Style): string {
  const mark = { ok: style.green, warning: style.yellow, problem: style.red }[severity];
  return `  ${mark(severity.padEnd(7))}  ${seen}${fix === null ? '' : `\n           fix: ${fix}`}`;
}
