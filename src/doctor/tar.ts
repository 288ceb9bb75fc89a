// A tar archive in memory, as POSIX has it (ustar; pax(1), "ustar Interchange Format"). Pure: the same entries, the same bytes.

/** A file in it. */
export interface TarEntry {
  /** At most 100 bytes, relative, no `..`. */
  readonly name: string
  readonly text: string
}

const BLOCK = 512

/** The archive; `at` is the time of every file, in seconds since 1970. Throws RangeError for a name that does not fit. */
export function tar(entries: readonly TarEntry[], at: number): Buffer {
  const parts: Buffer[] = []
  for (const { name, text } of entries) {
    const data = Buffer.from(text)
    parts.push(header(name, data.length, at), data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK))
  }
  // Two empty blocks end it.
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

/** A header block: text and octal numbers at fixed places. */
function header(name: string, size: number, at: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`tar: ${name}: longer than 100 bytes`)
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, offset: number, width: number): void => {
    block.write(value.toString(8).padStart(width - 1, '0'), offset)
  }
  block.write(name, 0)
  octal(0o600, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(at, 136, 12)
  block.write('        ', 148)
  block.write('0', 156)
  block.write('ustar\0' + '00', 257)
  block.write('root', 265)
  block.write('root', 297)
  // The sum is taken with blanks in its own place.
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
