// `flanneld completion bash|zsh`: what makes a shell complete verbs, flags, files and words. Made from the tables of verbs
// and options; it asks the program nothing while one types. Pure but for printing.
import { UsageError } from '../../options/go-flags.ts'
import { type NamedRow, ROWS } from '../../options/table.ts'
import { VERBS, VERB_NAMES, type Verb } from '../../options/usage.ts'
import type { Terminal } from '../terminal.ts'
import { type Guess, VERB_WORDS } from '../verb-words.ts'

const HELP = `Usage: flanneld completion bash|zsh

Prints what makes the shell complete flanneld's verbs, flags, files and words:

  flanneld completion bash >/usr/share/bash-completion/completions/flanneld
  flanneld completion zsh >/usr/share/zsh/vendor-completions/_flanneld
`

/** Runs it; the exit status. Throws UsageError. */
export function completion(args: readonly string[], { out }: Terminal): Promise<number> {
  const [shell, more] = args
  if (shell === '-help' || shell === '--help' || shell === '-h') out(HELP)
  else if (more === undefined && shell === 'bash') out(bashCompletion())
  else if (more === undefined && shell === 'zsh') out(zshCompletion())
  else throw new UsageError('completion: must be followed by bash or zsh')
  return Promise.resolve(0)
}

/** What may follow a flag; an interface is one of this host. */
type Value = Guess | 'interface'

/** The daemon's flags that have an effect, with what they are for. */
const DAEMON: ReadonlyMap<string, string> = new Map(
  ROWS.filter((row) => row.unsupported === undefined).map(({ flag, doc }) => [flag, doc]),
)

/** What may follow each flag that takes a value, whichever verb it follows: a name means one thing everywhere. */
const VALUES: ReadonlyMap<string, Value> = new Map([
  ...ROWS.flatMap((row): [string, Value][] => {
    const value = valueOf(row)
    return value === undefined || row.unsupported !== undefined ? [] : [[row.flag, value]]
  }),
  ...VERB_NAMES.flatMap((verb) =>
    Object.entries(VERB_WORDS[verb].flags).flatMap(([flag, value]): [string, Value][] =>
      value === undefined ? [] : [[flag, value]],
    ),
  ),
])

function valueOf({ flag, format: { name, argument } }: NamedRow): Value | undefined {
  if (argument === undefined) return undefined
  if (name === 'flag-interfaces') return 'interface'
  if (name === 'flag-file' || /-(key|cert|ca)file$/.test(flag)) return 'file'
  return /^[a-z]+(\|[a-z]+)+$/.test(argument) ? argument.split('|') : 'any'
}

/** How a shell completes each value that can be guessed: lines of a `case`. */
function valueCases(guess: (value: Value) => string): string {
  const guessed = [...VALUES].filter(([, value]) => value !== 'any')
  return guessed.map(([flag, value]) => `      ${flag}) ${guess(value)} ;;`).join('\n')
}

/** The same for the words behind each verb. */
function wordCases(guess: (value: Value) => string): string {
  const lines = VERB_NAMES.flatMap((verb) =>
    VERB_WORDS[verb].words.flatMap((value, i) => (value === 'any' ? [] : [`    '${verb} ${i}') ${guess(value)} ;;`])),
  )
  return lines.join('\n')
}

/** The verbs that have flags of their own, or not the daemon's: lines of a `case`. */
function flagCases(line: (verb: Verb, own: readonly string[], daemon: boolean) => string): string {
  return VERB_NAMES.map((verb) => line(verb, Object.keys(VERB_WORDS[verb].flags), VERB_WORDS[verb].daemon)).join('\n')
}

/** Shell text that goes through the words before the one that is typed: `verb`, `place` behind it, `value` of a flag. */
const walk = (place: string): string => `    if [[ $word == = ]]; then continue; fi
    if [[ -n $value ]]; then value=; continue; fi
    case $word in
      -*)
        word=\${word#-}
        case \${word#-} in
          ${[...VALUES.keys()].join('|')}) value=\${word#-} ;;
        esac ;;
      *) if [[ -z $verb ]]; then verb=$word; else ${place}; fi ;;
    esac`

/** The script for bash, 4 or later. */
export function bashCompletion(): string {
  const words = (list: string): string => `mapfile -t COMPREPLY < <(compgen -W "${list}" -- "$cur")`
  const guess = (value: Value): string => {
    if (value === 'file') return 'mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames 2>/dev/null'
    return words(value === 'interface' ? '$(ls /sys/class/net)' : [value].flat().join(' '))
  }
  const flags = flagCases((verb, own, daemon) => `      ${verb}) flags="${own.join(' ')}${daemon ? ' $flags' : ''}" ;;`)
  return `# bash completion for flanneld, made by: flanneld completion bash
_flanneld() {
  local cur=\${COMP_WORDS[COMP_CWORD]} verb= place=0 value= dash=- flags i word
  COMPREPLY=()
  # bash takes "-flag=value" for three words.
  [[ $cur == = ]] && cur=
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
${walk('place=$((place + 1))')}
  done
  if [[ -n $value ]]; then
    case $value in
${valueCases(guess)}
    esac
    return
  fi
  if [[ $cur == -* ]]; then
    [[ $cur == --* ]] && dash=--
    flags="${[...DAEMON.keys()].join(' ')}"
    case $verb in
      '') flags="$flags version" ;;
${flags}
    esac
    mapfile -t COMPREPLY < <(compgen -P "$dash" -W "$flags help" -- "\${cur#"$dash"}")
    return
  fi
  case "$verb $place" in
    ' 0') ${words(VERB_NAMES.join(' '))} ;;
${wordCases(guess)}
  esac
}
complete -F _flanneld flanneld
`
}

/** The script for zsh: a file _flanneld in a folder of its fpath, or read by source after compinit. */
export function zshCompletion(): string {
  const guess = (value: Value): string => {
    if (value === 'file') return '_files'
    return value === 'interface' ? 'compadd -- /sys/class/net/*(N:t)' : `compadd -- ${[value].flat().join(' ')}`
  }
  const described = (list: Iterable<readonly [string, string]>, indent: string): string =>
    Array.from(list, ([name, line]) => `\n${indent}${quoted(`${name}:${line.replaceAll(':', '\\:')}`)}`).join('')
  const flags = flagCases((verb, own, daemon) => `      ${verb}) flags=(${own.join(' ')}${daemon ? ' $flags' : ''}) ;;`)
  return `#compdef flanneld
# zsh completion for flanneld, made by: flanneld completion zsh
_flanneld() {
  local cur=$words[CURRENT] verb= value= dash=- word
  local -i place=0 i
  local -a flags verbs
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
${walk('place+=1')}
  done
  if [[ -n $value ]]; then
    case $value in
${valueCases(guess)}
    esac
    return
  fi
  if [[ $cur == -* ]]; then
    [[ $cur == --* ]] && dash=--
    flags=(${described(DAEMON, '      ')}
    )
    case $verb in
      '') flags+=(version) ;;
${flags}
    esac
    flags+=(help)
    flags=($dash\${^flags})
    _describe flag flags
    return
  fi
  case "$verb $place" in
    ' 0')
      verbs=(${described(Object.entries(VERBS), '        ')}
      )
      _describe verb verbs ;;
${wordCases(guess)}
  esac
}
if [[ $funcstack[1] == _flanneld ]]; then _flanneld "$@"; else compdef _flanneld flanneld; fi
`
}

/** A word as zsh reads it unchanged. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
