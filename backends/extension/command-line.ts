// A command of the config as words, so that no shell sees it. Pure.
import type { Command } from '../../src/backend.ts'

/** Pieces of a line that we understand as sh(1) does: blanks, quotes, a variable, an escaped character, a plain one. */
const PIECE =
  /^(?:(?<blank>\s+)|'(?<single>[^'$]*)'|"(?<double>(?:[^"\\`$]|\$\w+|\$\{\w+\})*)"|(?<variable>\$\w+|\$\{\w+\})|\\(?<escaped>[^$])|(?<plain>[^\s'"\\$;&|<>`()*?[\]~#!{}]))/
/** Words that are the shell's own (POSIX.1-2017, XCU 2.4 and 2.14), but for those that are programs too. */
const BUILTINS = new Set(
  ': . alias bg break case cd command continue eval exec exit export fg for getopts hash if jobs local read readonly return set shift times trap type ulimit umask unalias unset until wait while'.split(
    ' ',
  ),
)

/**
 * The words of a line: quotes and backslashes as in sh(1), `$NAME` is kept and replaced when it is run. A line with anything else of the
 * shell's is run as Go's flanneld runs every one: `sh -c LINE`. Undefined for a line without a word.
 */
export function commandOf(line: string): Command | undefined {
  const words: string[] = []
  let word: string | undefined
  for (let rest = line.trim(); rest !== '';) {
    const found = PIECE.exec(rest)
    if (found === null) return byShell(line)
    const { blank, ...pieces }: Readonly<Record<string, string | undefined>> = found.groups ?? {}
    if (blank === undefined) word = (word ?? '') + (Object.values(pieces).find((piece) => piece !== undefined) ?? '')
    else {
      words.push(word ?? '')
      word = undefined
    }
    rest = rest.slice(found[0].length)
  }
  if (word !== undefined) words.push(word)
  const [first] = words
  if (first === undefined) return undefined
  return BUILTINS.has(first) || first.includes('=') ? byShell(line) : { words, replaces: true }
}

function byShell(line: string): Command {
  return { words: ['sh', '-c', line], replaces: false }
}
