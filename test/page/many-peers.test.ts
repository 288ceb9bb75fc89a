// The page of a host with a thousand peers, and of one with a handful in all states.
import test from 'ava'
import { readFile } from 'node:fs/promises'
import { PICTURES, openPage, pixelsTooWide, takePicture, startBrowser } from '../lab/actors/browser.ts'
import { type PeerSimulator, routePeersTo, simulatePeers, routeToPeers } from '../lab/actors/simulated-peers.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { deleteLeases } from '../lab/actors/raw-leases.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

/** Asks and reads nothing. */
const IDLE = `
  let open = 0
  // Sockets that read nothing keep no process.
  setInterval(() => {}, 1000)
  for (let i = 0; i < 1000; i++) {
    const socket = require('node:net').connect(9000, '127.0.0.1', () => ++open === 1000 && console.log('all there'))
    socket.on('error', () => {}).pause()
    socket.write('GET /api/' + (i % 2 === 0 ? 'live' : 'state') + ' HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')
  }`

interface Stage {
  readonly etcd: EtcdHost
  readonly simulator: PeerSimulator
  readonly host: Host
  readonly daemon: Running
}

/** A host whose daemon has this many peers. */
async function stage(t: Parameters<typeof createLab>[0], count: number, length: 24 | 28): Promise<Stage> {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  const backend = { Type: 'vxlan', DirectRouting: true }
  await etcd.configure({ Network: '10.2.0.0/16', SubnetLen: length, Backend: backend })
  const simulator = await simulatePeers(lan, etcd, count, length)
  const host = await lan.host(121)
  await routeToPeers(simulator, host)
  const daemon = await startFlanneld(host, `${ARGS} -healthz-port=9000 -healthz-page -probe-interval=1`)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready:/)
  await routePeersTo(simulator, host)
  return { etcd, simulator, host, daemon }
}

test('1,000 peers: all in the picture, found by the filter, walked by keyboard, at 360 pixels too', async (t) => {
  const { etcd, simulator, host, daemon } = await stage(t, 1000, 28)
  const lost = simulator.peers.filter((_, i) => i % 131 === 100)
  await simulator.silence(lost)
  const { page, complaints } = await openPage(await startBrowser(t, host))
  const options = page.getByRole('option')
  await page.locator('[role=option]:nth-child(900)').waitFor()
  t.is(await options.count(), 1000)
  t.is(await page.getByRole('row').count(), 51, 'the table begins with some')

  await page.getByLabel('Filter').fill('10.2.7.')
  await page.getByText('16 of 1000 peers shown').waitFor()
  t.is(await options.count(), 16)
  await page.getByLabel('Filter').fill('10.2.7.16/28 vxlan')
  await page.getByText('1 of 1000 peers shown').waitFor()
  await options.filter({ hasText: '10.2.7.16/28' }).waitFor()
  await page.getByLabel('Filter').fill('10.9.')
  await page.getByText('No peer matches the filter.').waitFor()
  await page.getByLabel('Filter').fill('')
  await page.locator('[role=option]:nth-child(900)').waitFor()

  await page.getByLabel('Filter').focus()
  await page.keyboard.press('Tab')
  const focused = (): Promise<string> => page.evaluate<string>('document.activeElement.getAttribute("data-key") ?? ""')
  const walked = [await focused()]
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'End']) {
    await page.keyboard.press(key)
    walked.push(await focused())
  }
  t.is(new Set(walked).size, walked.length, walked.join(', '))
  t.true(walked.every((key) => key.startsWith('10.2.')))
  await page.keyboard.press('Enter')
  const [subnet = ''] = (walked.at(-1) ?? '').split(' ')
  await page.getByRole('region', { name: 'The chosen peer' }).filter({ hasText: subnet }).waitFor()
  await page.keyboard.press('Enter')

  await deleteLeases(etcd, ['10.2.7.16-28'])
  await page.locator('#counts').getByText(/\d/).first().waitFor()
  await waitFor('one less', async () => (await options.count()) === 999)
  t.is(await pixelsTooWide(page), 0)
  await page.setViewportSize({ width: 360, height: 740 })
  await page.locator('[role=option]:nth-child(900)').waitFor()
  t.is(await pixelsTooWide(page), 0, 'at 360 pixels')
  t.deepEqual(complaints, [])
  if (PICTURES) {
    // All have had their turn.
    await page.getByRole('button', { name: 'unknown' }).waitFor({ state: 'detached', timeout: 600_000 })
    await page.setViewportSize({ width: 1180, height: 900 })
    await takePicture(page, 'thousand', 900)
    await page.setViewportSize({ width: 360, height: 740 })
    await takePicture(page, 'thousand-phone', 1700)
  }

  // A thousand who ask for the page's state and its stream, and read nothing, cost what is held for all of them together.
  const memory = async (): Promise<number> =>
    Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${daemon.pid}/status`, 'utf8'))?.[1])
  const before = await memory()
  // The kernel takes over little of it.
  await host.run('sysctl -qw net.ipv4.tcp_rmem="4096 4096 4096" net.ipv4.tcp_wmem="4096 4096 4096"')
  const idle = await host.spawn(`${process.execPath} -e "${IDLE}"`)
  await idle.line(/all there/)
  await waitFor('an answer for who comes later', async () => (await askHealthPort(host, '/api/state')).status === 200)
  const more = (await memory()) - before
  t.log(`1,000 who read nothing: ${before} KiB and ${more} KiB more`)
  t.true(more < 150_000, `${more} KiB`)
})

test('a handful of peers: direct ones and tunnelled ones apart, the silent one first', async (t) => {
  const { simulator, host } = await stage(t, 9, 24)
  const silent = simulator.peers.slice(6, 7)
  await simulator.silence(silent)
  const subnet = silent[0]?.subnet ?? ''
  const browser = await startBrowser(t, host)
  const { page, complaints } = await openPage(browser)
  await page.getByRole('option').first().filter({ hasText: subnet }).filter({ hasText: 'unreachable' }).waitFor()
  await page.getByRole('button', { name: '8 up' }).waitFor()
  t.is(await page.getByRole('option').filter({ hasText: 'direct' }).count(), 4)
  t.is(await page.getByRole('row').filter({ hasText: 'vxlan tunnel' }).count(), 5)
  await page.getByRole('button', { name: '1 unreachable' }).click()
  await page.getByText('1 of 9 peers shown').waitFor()
  await page.getByRole('button', { name: '1 unreachable' }).click()
  await host.run('ip route del 10.2.1.0/24; ip neigh flush dev flannel.1 nud permanent')
  await page.getByRole('log').getByText('repaired').first().waitFor()
  t.is(await pixelsTooWide(page), 0)
  await takePicture(page, 'page')
  for (const width of [320, 480, 660, 760, 901, 1000, 1600]) {
    await page.setViewportSize({ width, height: 900 })
    await waitFor(`${width} pixels`, async () => (await pixelsTooWide(page)) === 0)
  }
  for (const [name, options] of [
    ['phone', { viewport: { width: 360, height: 740 } }],
    ['dark', { colorScheme: 'dark' }],
  ] as const) {
    const other = await openPage(browser, options)
    await other.page.getByRole('option').nth(8).waitFor()
    await other.page.locator('#leases').getByText('ours').waitFor()
    t.is(await pixelsTooWide(other.page), 0, name)
    await takePicture(other.page, name, name === 'phone' ? 1500 : 900)
    t.deepEqual(other.complaints, [])
  }
  t.deepEqual(complaints, [])
})
