// Regular expressions in Go's syntax (RE2), as existing -iface-regex flags are written.
// JavaScript reads most of the syntax alike. Constructs that it would silently read differently are translated here.

const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

/** Compiles `text`; throws SyntaxError with the reason when it is no regular expression. */
export function compileGoRegex(text: string): RegExp {
  // RE2 accepts inline flags anywhere, JavaScript nowhere. People write them at the front.
  const [, letters = '', body = text] = /^\(\?([ims]+)\)([\s\S]*)$/.exec(text) ?? []
  const translated = body.replace(/\\([\s\S])|\(\?P<|\[:(\w+):\]/g, (found, escaped?: string, posix?: string) => {
    if (escaped === 'A') return '(?<![\\s\\S])'
    if (escaped === 'z') return '(?![\\s\\S])'
    if (escaped !== undefined) return found
    return posix === undefined ? '(?<' : (POSIX[posix] ?? found)
  })
  return new RegExp(translated, [...new Set(letters)].join(''))
}
