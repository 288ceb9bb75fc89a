// What passes on a local network, in whole: for claims about who can read it.
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import type { Lan } from '../world/lab.ts'
import { start } from '../world/process.ts'
import type { Owner } from '../world/space.ts'
import { tempFolder } from '../world/temp-folder.ts'

/** Packets of a local network since the capture began. */
export interface Capture {
  /** How often these bytes passed. */
  count(bytes: Buffer): number
  stop(): Promise<void>
}

/** Starts to capture at the bridge of a local network. */
export async function startCapture(owner: Owner, lan: Lan): Promise<Capture> {
  const file = `${tempFolder(owner)}/packets`
  const { device, enter } = lan.bridge
  const running = await start(
    [...enter, 'tcpdump', '-i', device, '-s', '0', '-U', '--immediate-mode', '-Z', 'root', '-w', file],
    true,
  )
  await running.line(/listening on/)
  return {
    count(bytes) {
      const packets = readFileSync(file)
      let found = 0
      for (let at = packets.indexOf(bytes); at >= 0; at = packets.indexOf(bytes, at + 1)) found++
      return found
    },
    async stop() {
      await running.stop('SIGINT')
    },
  }
}

/** The bytes of two addresses as they follow each other in the header of a packet. */
export function headerBytes(from: string, to: string): Buffer {
  return Buffer.concat([from, to].map(addressBytes))
}

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const missing = Array<string>(8 - groups(head).length - groups(tail).length).fill('0')
  return Buffer.from([...groups(head), ...missing, ...groups(tail)].map((it) => it.padStart(4, '0')).join(''), 'hex')
}
