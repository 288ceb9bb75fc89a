// Regular expressions in Go's syntax (RE2), as existing -iface-regex flags are written.
// JavaScript reads most of it alike; what it would silently read otherwise is translated here.

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
  // Inline flags are known to RE2 anywhere, to JavaScript nowhere; at the front is where people write them.
  const [, letters = '', body = text] = /^\(\?([ims]+)\)([\s\S]*)$/.exec(text) ?? []
  const translated = body.replace(/\\([\s\S])|\(\?P<|\[:(\w+):\]/g, (found, escaped?: string, posix?: string) => {
    if (escaped === 'A') return '(?<![\\s\\S])'
    if (escaped === 'z') return '(?![\\s\\S])'
    if (escaped !== undefined) return found
    return posix === undefined ? '(?<' : (POSIX[posix] ?? found)
  })
  return new RegExp(translated, [...new Set(letters)].join(''))
}
