// Commands in another kernel: begun and killed by words on a serial line, their input and output in files of a folder that both
// sides see (guest-init.ts is the other side).
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { type Exit, type Running, runningOf } from './process.ts'

/** Milliseconds between two looks at what commands printed. */
const LOOK = 50

/** The commands of a guest. */
export interface GuestCommands {
  /** Whether the guest takes commands. */
  isReady(): boolean
  /** What came by the line and was for nobody. */
  noise(): string
  begin(text: string, stdin?: string): Promise<Running>
  /** Ends all, for the guest is off. */
  off(): void
}

interface Command {
  readonly running: Running
  /** Its pid in the guest has come. */
  began(pid: number): void
  look(): void
  ended(exit: Exit): void
}

const KILLED: Exit = { code: null, signal: 'SIGKILL' }

/** Commands by a line's two directions and a folder. */
export function guestCommands(toGuest: Writable, fromGuest: Readable, folder: string): GuestCommands {
  const commands = new Map<number, Command>()
  let [next, ready, off, noise, partial] = [0, false, false, '', '']
  const send = (words: string): void => {
    toGuest.write(`${words}\n`)
  }
  const take = (line: string): void => {
    const [, verb, id, value] = /^(ready|pid|ended)(?: (\d+) (\d+))?\s*$/.exec(line) ?? []
    const command = commands.get(Number(id))
    if (verb === 'ready') ready = true
    else if (command === undefined) noise += `${line}\n`
    else if (verb === 'pid') command.began(Number(value))
    else {
      commands.delete(Number(id))
      command.ended(exitOf(Number(value)))
    }
  }
  toGuest.on('error', () => undefined)
  fromGuest.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${partial}${text}`.split('\n')
    partial = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
  const timer = setInterval(() => {
    for (const command of commands.values()) command.look()
  }, LOOK)
  timer.unref()

  return {
    isReady: () => ready,
    noise: () => noise + partial,
    begin(text, stdin = '') {
      const id = next++
      const command = commandIn(`${folder}/${id}`, text, stdin, send)
      if (off) command.ended(KILLED)
      else {
        commands.set(id, command)
        send(`run ${id}`)
      }
      return Promise.resolve(command.running)
    },
    off() {
      off = true
      clearInterval(timer)
      for (const command of commands.values()) command.ended(KILLED)
      commands.clear()
    },
  }
}

/** A command whose files begin with `file`. */
function commandIn(file: string, text: string, stdin: string, send: (words: string) => void): Command {
  writeFileSync(file, text)
  writeFileSync(`${file}.in`, stdin)
  const printed = { both: '', stdout: '' }
  const stdout = newFile(`${file}.out`)
  const stderr = newFile(`${file}.err`)
  const early: NodeJS.Signals[] = []
  let pid: number | undefined
  let over = false
  let resolve: (exit: Exit) => void = () => undefined
  const exit = new Promise<Exit>((settle) => (resolve = settle))

  const kill = (signal: NodeJS.Signals): void => {
    if (over) return
    if (pid === undefined) early.push(signal)
    else send(`kill ${pid} ${signal.slice('SIG'.length)}`)
  }
  const look = (): void => {
    const text = stdout.more()
    printed.stdout += text
    printed.both += text + stderr.more()
  }
  const output = (): string => printed.both
  // No pid of this machine's: nothing here may be sent a signal by it.
  const running = runningOf({
    program: text,
    pid: Number.NaN,
    exit,
    kill,
    output,
    stdout: () => printed.stdout,
  })
  return {
    running,
    look,
    began(its) {
      pid = its
      early.splice(0).forEach(kill)
    },
    ended(how) {
      over = true
      look()
      for (const each of [stdout, stderr]) each.close()
      resolve(how)
    },
  }
}

/** An empty file that somebody else appends to. */
function newFile(path: string): { more(): string; close(): void } {
  const file = openSync(path, 'w+', 0o666)
  const decoder = new TextDecoder()
  const buffer = Buffer.alloc(65_536)
  let at = 0
  return {
    more() {
      let text = ''
      for (;;) {
        const length = readSync(file, buffer, 0, buffer.length, at)
        if (length === 0) return text
        at += length
        text += decoder.decode(buffer.subarray(0, length), { stream: true })
      }
    },
    close() {
      closeSync(file)
    },
  }
}

/** How a shell's `wait` tells of an end. */
function exitOf(status: number): Exit {
  const signal = Object.entries(constants.signals).find(([, number]) => status === 128 + number)?.[0]
  return signal === undefined ? { code: status, signal: null } : { code: null, signal: signal as NodeJS.Signals }
}
