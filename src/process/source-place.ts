// The source line of a call, for the log. The bundle is one file with lines of its own: scripts/bundle.ts puts a table
// into it that leads back to the source.

/** A line of the source. */
export interface SourcePlace {
  /** Folder and name, e.g. `lease/own.ts`; `flanneld` when it is not known. */
  readonly file: string
  /** From 1; 0 when it is not known. */
  readonly line: number
  /** Identifies the call, also among several on one line. */
  readonly key: string
}

/**
 * Lines of the bundle by their distance from the one that reads the stack (below), each with its place in the source:
 * `-120=lease/own.ts:88 ...`. Distances stay true whatever is put before the bundle. Not filled in: run from source.
 */
const TABLE = '@SOURCE_LINES@'

let places: ReadonlyMap<number, string> | undefined

/** The place of a caller, by its distance in calls: 1 is the caller of this function. */
export function sourcePlace(calls: number): SourcePlace {
  const stack = (new Error().stack ?? '').split('\n')
  // The first line is the error's message, the second this function.
  const caller = readFrame(stack[calls + 1])
  const source = SOURCE_FILE.exec(caller.path)?.[1]
  if (source !== undefined) return { file: source, line: caller.line, key: `${source}:${caller.position}` }
  places ??= readTable(TABLE)
  const place = places.get(caller.line - readFrame(stack[1]).line) ?? 'flanneld:0'
  const colon = place.indexOf(':')
  return { file: place.slice(0, colon), line: Number(place.slice(colon + 1)), key: caller.position }
}

/** A frame of V8's stack trace, e.g. `    at Keeper.keep (/usr/bin/flanneld:1200:14)`. */
function readFrame(frame = ''): { readonly path: string; readonly line: number; readonly position: string } {
  const [, path = '', line = '0', column = '0'] = /([^\s()]+):(\d+):(\d+)\)?$/.exec(frame) ?? []
  return { path, line: Number(line), position: `${line}:${column}` }
}

/** A file of the source as the log names it: with its folder, unless that is src itself. */
const SOURCE_FILE = /\/(?:src\/)?((?:[^/]+\/)?[^/]+\.ts)$/

function readTable(text: string): ReadonlyMap<number, string> {
  const entries = text.split(' ').map((entry) => entry.split('='))
  return new Map(entries.map(([distance = '', place = '']) => [Number(distance), place]))
}
