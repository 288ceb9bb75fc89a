// iptables and nft that hang, fork, crash, or cannot be started for lack of descriptors: the daemon keeps running, reports what it
// knows, and stops in time.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { type Scrape, scrapeOf } from '../lab/instruments/scrape.ts'
import { tryUpTo, waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const DROPPED = 'flannel_vxlan_unknown_sender_packets_total'

/** Stands in for a program: does what /run/as says, `well` being what the program itself does. */
const STAND_IN = `#!/bin/sh
case "$(cat /run/as)" in
  hangs) sleep 3000 & exec sleep 3000
    ;;
  leaves) sleep 3000 & exit 1 ;;
  crashes) kill -SEGV $$;;
esac
exec "/usr/sbin/$(basename "$0")" "$@"
`

async function scrape(host: Host): Promise<Scrape> {
  return scrapeOf(await host.run('curl -sS -m 30 http://127.0.0.1:9000/metrics'))
}

async function statusOf(host: Host): Promise<{ firewall: { guard: { unknownSenders: number | null } } }> {
  return JSON.parse(
    await host.run(`curl -sS -m 30 --unix-socket /run/flannel/flanneld.sock http://d/v1/status`),
  ) as Awaited<ReturnType<typeof statusOf>>
}

test('the daemon lives with programs that hang, fork, crash or cannot be started', async (t) => {
  const { host } = await createOneHost(t)
  const as = (what: string): Promise<string> => host.run(`echo ${what} >/run/as`)
  for (const program of ['nft', 'iptables-save', 'iptables-restore'])
    await host.run(`cat >/usr/local/bin/${program} && chmod +x /usr/local/bin/${program}`, STAND_IN)
  await as('well')
  const daemon: Running = await startFlanneld(host, `${ARGS} -healthz-port=9000`)
  await waitForSubnetEnv(host, daemon)
  await waitFor('the guard', async () => (await scrape(host)).value(DROPPED) === 0)

  for (const what of ['hangs', 'leaves', 'crashes']) {
    await as(what)
    const scraped = await waitFor(`a scrape without the counter: nft ${what}`, async () => {
      const one = await scrape(host)
      return one.value(DROPPED) === undefined && one
    })
    t.is(scraped.value('flannel_peers{state="up"}'), 0, 'the rest is reported')
    t.is((await statusOf(host)).firewall.guard.unknownSenders, null, what)
    await as('well')
    await waitFor('the counter', async () => (await scrape(host)).value(DROPPED) === 0)
    t.is((await statusOf(host)).firewall.guard.unknownSenders, 0)
  }

  // As many descriptors as are open, and two: enough for who asks, not for a program and its pipes.
  const limit = (soft: number): Buffer => execFileSync('prlimit', [`--pid=${daemon.pid}`, `--nofile=${soft}:`])
  const starve = async (): Promise<Scrape | false> => {
    limit(readdirSync(`/proc/${daemon.pid}/fd`).length + 2)
    const one = await scrape(host)
    return one.value(DROPPED) === undefined && one
  }
  const starved = await tryUpTo(10, 'a scrape without descriptors for nft', starve, t.log)
  t.is(starved.value('flannel_peers{state="up"}'), 0)
  limit(1024)
  await waitFor('the counter', async () => (await scrape(host)).value(DROPPED) === 0)

  // Rules deleted while the programs hang are restored once they work again.
  const rules = (): Promise<string> => host.run('/usr/sbin/iptables-save')
  t.regex(await rules(), /FLANNEL-FWD/)
  await as('hangs')
  await host.run('/usr/sbin/nft flush ruleset')
  await daemon.line(/firewall: .*did not end within 10000 ms: killed/, 60_000)
  await as('well')
  await waitFor('the rules', async () => (await rules()).includes('FLANNEL-FWD'), 60_000)

  // Asked to stop while one hangs.
  await waitFor('no sleeper', async () => (await host.run('pgrep -c sleep; true')).trim() === '0')
  await as('hangs')
  await host.run('/usr/sbin/nft flush ruleset')
  await waitFor('a program that hangs', async () => (await host.run('pgrep -c sleep; true')).trim() !== '0')
  const began = performance.now()
  t.deepEqual(await daemon.stop('SIGTERM'), { code: 0, signal: null }, daemon.output())
  t.log(`stopped in ${Math.round(performance.now() - began)} ms`)
  await waitFor('no sleeper', async () => (await host.run('pgrep -c sleep; true')).trim() === '0')
})
