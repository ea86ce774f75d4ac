import type { Command, Option } from 'commander';

/** Shell completion, generated from the commands themselves so that it cannot fall behind them. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The hidden command that lists what can be completed after "backends drain" and its like. */
export const TARGETS_COMMAND = '__targets';

interface Word {
  readonly text: string;
  readonly about: string;
}

/** One command: `path` is "" for tandem itself, "/backends/drain" for a nested one. */
interface Node {
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
  /** Takes a service/backend. */
  readonly targets: boolean;
  /** Choices of its first argument. */
  readonly choices: readonly Word[];
}

export function completionScript(program: Command, shell: Shell): string {
  const nodes = nodesOf(program, '', globalOptions(program));
  const script = { bash, zsh, fish }[shell];
  return script(nodes);
}

function globalOptions(program: Command): Word[] {
  return program.options.filter((option) => !option.hidden).map(optionWord);
}

function nodesOf(command: Command, path: string, globals: readonly Word[]): Node[] {
  const children = command.commands.filter((child) => !child.name().startsWith('__'));
  const own = command.options.filter((option) => !option.hidden).map(optionWord);
  const node: Node = {
    path,
    commands: children.map((child) => ({ text: child.name(), about: child.description() })),
    options: path === '' ? globals : [...own, ...globals, { text: '--help', about: 'show help' }],
    targets: command.registeredArguments.some((argument) => argument.name() === 'service/backend'),
    choices: (command.registeredArguments[0]?.argChoices ?? []).map((text) => ({ text, about: '' })),
  };
  return [node, ...children.flatMap((child) => nodesOf(child, `${path}/${child.name()}`, globals))];
}

const optionWord = (option: Option): Word => ({
  text: option.long ?? option.short ?? option.flags,
  about: option.description,
});

const paths = (nodes: readonly Node[]): string[] =>
  nodes.map((node) => node.path).filter((path) => path !== '');

const wordsOf = (node: Node): string =>
  [...node.commands, ...node.choices, ...node.options].map((word) => word.text).join(' ');

const TARGETS = `tandem ${TARGETS_COMMAND} 2>/dev/null`;

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const list = node.targets ? `"$(${TARGETS}) ${wordsOf(node)}"` : `'${wordsOf(node)}'`;
    return `    '${node.path}') list=${list} ;;`;
  });
  return `# bash completion for tandem: . <(tandem completion bash)
_tandem() {
  local line=\${COMP_LINE:0:COMP_POINT} at='' list='' word
  # COMP_WORDS is cut at colons; a backend has some in its name
  local cur=\${line##*[[:space:]]}
  COMPREPLY=()
  for word in \${line%"$cur"}; do
    case "$at/$word" in
      ${paths(nodes).join(' | ')}) at=$at/$word ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  while read -r word; do
    if [[ -n $word && $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
  done < <(printf '%s\\n' "$list" | tr ' ' '\\n')
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("\${COMPREPLY[@]#"\${cur%"\${cur##*:}"}"}")
  fi
}
complete -o default -F _tandem tandem
`;
}

function zsh(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const targets = node.targets ? `\${(f)"$(${TARGETS})"} ` : '';
    return `    '${node.path}') list=(${targets}${wordsOf(node)}) ;;`;
  });
  return `#compdef tandem
# zsh completion for tandem: a file _tandem in $fpath, or . <(tandem completion zsh)
_tandem() {
  local at='' word
  local -a list
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
      ${paths(nodes).join('|')}) at=$at/$word ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  compadd -a list || _files
}
if [ "$funcstack[1]" = "_tandem" ]; then _tandem "$@"; else compdef _tandem tandem; fi
`;
}

function fish(nodes: readonly Node[]): string {
  const quote = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = nodes.flatMap((node) => {
    const start = `complete -c tandem -n "__tandem_at '${node.path}'"`;
    const plain = [...node.commands, ...node.choices].map(
      (word) => `${start} -f -a ${quote(word.text)} -d ${quote(word.about)}`,
    );
    const options = node.options.map(
      (word) => `${start} -l ${quote(word.text.replace(/^--/, ''))} -d ${quote(word.about)}`,
    );
    return [...plain, ...options, ...(node.targets ? [`${start} -f -a '(${TARGETS})'`] : [])];
  });
  return `# fish completion for tandem: tandem completion fish | source
function __tandem_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at/$word"
      case ${paths(nodes).join(' ')}
        set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}
