// The commands of the extension backend are run for peers as they come, change and go, and for all of them at the end of the backend.
import test, { type ExecutionContext } from 'ava'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command, CommandsHelper, CommandsPeer } from '../../src/health/outside-kernel.ts'
import { commandsDriver } from '../../src/helpers/commands/commands.ts'
import type { RunningHelper } from '../../src/helpers/driver.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { createLog } from '../../src/log.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const SUBNETS = ['10.5.1.0/24', '10.5.2.0/24', '10.5.3.0/24'].map((subnet) => subnet as Prefix)

function peerOf(subnet: Prefix): CommandsPeer {
  return { type: 'commands', name: 'extension', environment: { SUBNET: subnet }, input: '' }
}

/** Commands that note what they are run for, in `done`; one of a peer fails while there is a file `fails`. */
async function bench(t: ExecutionContext): Promise<{
  readonly running: RunningHelper<CommandsHelper, CommandsPeer>
  readonly fails: string
  readonly lines: readonly string[]
  readonly troubles: readonly (string | undefined)[]
  readonly done: () => readonly string[]
}> {
  const folder = mkdtempSync(join(tmpdir(), 'flanneld-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const [note, fails] = [join(folder, 'done'), join(folder, 'fails')]
  const by = (what: string): Command => ({
    words: [
      'sh',
      '-c',
      `if [ -n "$SUBNET" ] && [ -e ${fails} ]; then echo no way; exit 3; fi; echo ${what} $SUBNET >>${note}`,
    ],
    replaces: false,
  })
  const wanted: CommandsHelper = {
    type: 'commands',
    name: 'extension',
    environment: {},
    start: by('start'),
    add: by('add'),
    remove: by('remove'),
    end: by('end'),
  }
  const lines: string[] = []
  const troubles: (string | undefined)[] = []
  const running = await commandsDriver.start(wanted, {
    ended: (why) => t.fail(why),
    troubled: (why) => troubles.push(why),
    strangers: { dropped: true, but: [] },
    log: createLog('test', 0, (line) => lines.push(line)),
  })
  const done = (): readonly string[] => (existsSync(note) ? readFileSync(note, 'utf8').trim().split('\n') : [])
  return { running, fails, lines, troubles, done }
}

/** Tells of all peers, and waits until each is added. */
async function addAll(running: RunningHelper<CommandsHelper, CommandsPeer>): Promise<void> {
  running.peers(new Map(SUBNETS.map((subnet) => [subnet, peerOf(subnet)])), SUBNETS)
  await waitFor('the commands', () => running.facts()['waiting'] === 0)
}

test('where another backend is used, every peer is removed, and then all is shut down', async (t) => {
  const { running, done, lines } = await bench(t)
  await addAll(running)
  await running.stop('unwanted')
  const all = done()
  t.is(all[0], 'start')
  t.deepEqual(
    all.slice(1, 4).sort(),
    SUBNETS.map((subnet) => `add ${subnet}`),
  )
  t.deepEqual(
    all.slice(4, 7).sort(),
    SUBNETS.map((subnet) => `remove ${subnet}`),
  )
  t.deepEqual(all.slice(7), ['end'])
  t.deepEqual(lines, [])
})

test('a peer that is being added then is removed too', async (t) => {
  const { running, done } = await bench(t)
  running.peers(new Map(SUBNETS.map((subnet) => [subnet, peerOf(subnet)])), SUBNETS)
  await running.stop('unwanted')
  const of = (what: string): readonly string[] =>
    done().flatMap((line) => (line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : []))
  t.deepEqual(of('remove').toSorted(), of('add').toSorted())
  t.is(done().at(-1), 'end')
})

test('one that cannot be removed is named, and all is shut down', async (t) => {
  const { running, done, lines, fails } = await bench(t)
  await addAll(running)
  writeFileSync(fails, '')
  await running.stop('unwanted')
  t.is(done().at(-1), 'end')
  t.is(lines.length, 1)
  t.regex(
    lines[0] ?? '',
    /3 of 3 peers are not removed: 10\.5\.\d\.0\/24: SubnetRemoveCommand: sh: ended with status 3: no way/,
  )
})

test('at the end of the daemon only the last command runs', async (t) => {
  const { running, done } = await bench(t)
  await addAll(running)
  await running.stop('daemon-ends')
  t.deepEqual(done().slice(4), ['end'])
})

test('a command that fails is a trouble until it succeeds, and logged once for each peer', async (t) => {
  const { running, done, lines, troubles, fails } = await bench(t)
  writeFileSync(fails, '')
  await addAll(running)
  t.is(running.facts()['failing'], 3)
  t.regex(
    troubles.at(-1) ?? '',
    /^10\.5\.\d\.0\/24: SubnetAddCommand: sh: ended with status 3: no way, and for 2 other peers; correct the command/,
  )
  t.is(lines.length, 3)
  t.deepEqual(done(), ['start'])
  rmSync(fails)
  await waitFor('all peers', () => done().length === 4)
  await waitFor('no trouble', () => running.facts()['failing'] === 0)
  t.is(troubles.at(-1), undefined)
  // A peer that leaves while its command fails is no trouble.
  writeFileSync(fails, '')
  const other = '10.5.4.0/24' as Prefix
  running.peers(new Map([[other, peerOf(other)]]), [other])
  await waitFor('the trouble', () => troubles.at(-1)?.startsWith(other))
  running.peers(new Map(), [other])
  await waitFor('no trouble', () => troubles.at(-1) === undefined)
  await running.stop('daemon-ends')
})
