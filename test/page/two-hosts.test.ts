// The page of a host with one peer, in a real browser, while the network is healthy, broken and repaired.
import test from 'ava'
import { openPage, pixelsTooWide, startBrowser } from '../lab/actors/browser.ts'
import { createCluster } from '../lab/scenarios/cluster.ts'
import { PREFIX } from '../lab/world/network.ts'

test('two hosts: the verdict, the peer with its round trip, and what happens, as it happens', async (t) => {
  const cluster = await createCluster(t, { args: '-healthz-port=9000 -healthz-page' })
  const [own, peer] = cluster.nodes
  if (own === undefined || peer === undefined) return t.fail()
  const browser = await startBrowser(t, own.host)
  const { page, complaints } = await openPage(browser)
  const title = page.getByRole('heading', { level: 1 })
  await title.filter({ hasText: 'healthy' }).waitFor()
  await page
    .getByRole('option')
    .filter({ hasText: `${peer.subnet}.0/24` })
    .filter({ hasText: /[\d.]+ ms/ })
    .waitFor()
  const row = page.getByRole('row').filter({ hasText: `${peer.subnet}.0/24` })
  await row.filter({ hasText: 'vxlan tunnel' }).filter({ hasText: 'up' }).filter({ hasText: '1450' }).waitFor()
  await page.locator('#leases').getByText('ours').waitFor()
  t.regex(await page.title(), /^healthy · 10\.2\./)

  // What follows comes without a reload: this would not survive one.
  await page.evaluate("document.body.dataset.same = 'page'")
  await own.host.run(`ip route del ${peer.subnet}.0/24`)
  await page.getByRole('log').getByText('repaired').waitFor()
  await page.locator('#facts').getByText('1 repair in 24h').waitFor()

  await peer.host.run('iptables -I INPUT -p udp --dport 8472 -j DROP')
  await title.filter({ hasText: 'degraded' }).filter({ hasText: '1 of 1 peer unreachable' }).waitFor()
  await page.locator('#verdict').getByText('udp 8472 blocked?').waitFor()
  await page.locator('#verdict').getByText(`flanneld doctor ${peer.subnet}.0/24`).waitFor()
  await page.getByRole('option').filter({ hasText: 'unreachable' }).filter({ hasText: 'no answer' }).waitFor()
  await row.filter({ hasText: 'unreachable' }).filter({ hasText: 'udp 8472 blocked?' }).waitFor()
  await peer.host.run('iptables -D INPUT -p udp --dport 8472 -j DROP')
  await title.filter({ hasText: 'healthy' }).waitFor()

  await peer.daemon.stop()
  await cluster.etcd.etcdctl(`del ${PREFIX}/subnets/${peer.subnet}.0-24`)
  await page.getByText('No peers:').waitFor()
  t.is(await page.evaluate('document.body.dataset.same'), 'page')
  t.deepEqual(complaints, [])

  await own.daemon.stop()
  await page.getByRole('alert').filter({ hasText: 'does not answer' }).waitFor()
  t.is(await pixelsTooWide(page), 0)
})

test('by keyboard: from the filter to the peer, and Enter shows its details', async (t) => {
  const cluster = await createCluster(t, { hosts: 3, args: '-healthz-port=9000 -healthz-page' })
  const [own, ...peers] = cluster.nodes
  if (own === undefined) return t.fail()
  const browser = await startBrowser(t, own.host)
  for (const width of [1180, 360]) {
    const { page, complaints } = await openPage(browser, { viewport: { width, height: 740 } })
    await page.getByRole('option').nth(1).waitFor()
    await page.getByLabel('Filter').focus()
    await page.keyboard.press('Tab')
    const focused = (): Promise<string> => page.evaluate<string>('document.activeElement.getAttribute("aria-label")')
    const first = await focused()
    await page.keyboard.press('ArrowDown')
    const second = await focused()
    await page.keyboard.press('Enter')
    const [subnet = ''] = second.split(',')
    const details = page.getByRole('region', { name: 'The chosen peer' })
    await details
      .filter({ hasText: subnet })
      .filter({ hasText: `flanneld doctor ${subnet}` })
      .waitFor()
    await page.keyboard.press('Home')
    t.is(await focused(), first)
    await page.keyboard.press('ArrowRight')
    t.is(await focused(), second)
    const seen = [first, second].map((label) => label.slice(0, label.indexOf(','))).toSorted()
    t.deepEqual(seen, peers.map((peer) => `${peer.subnet}.0/24`).toSorted())
    t.is(await pixelsTooWide(page), 0, `at ${width} pixels`)
    t.deepEqual(complaints, [])
  }
})
