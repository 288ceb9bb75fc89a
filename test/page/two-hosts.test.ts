// The page of a host with one peer, in a real browser.
import test from 'ava'
import { openPage, startBrowser } from '../lab/browser.ts'
import { createCluster } from '../lab/cluster.ts'

test('two hosts: the verdict, the peer, and a repair as it happens', async (t) => {
  const cluster = await createCluster(t, { hosts: 3, args: '-healthz-port=9000 -healthz-page' })
  const [own, peer] = cluster.nodes
  if (own === undefined || peer === undefined) return t.fail()
  const { page, complaints } = await openPage(await startBrowser(t, own.host))
  await page.getByRole('heading', { level: 1 }).filter({ hasText: 'whole' }).waitFor()
  const option = page.getByRole('option').filter({ hasText: peer.subnet })
  await option.waitFor()
  await page.screenshot({ path: '/tmp/shot-desktop.png', fullPage: true })
  await page.setViewportSize({ width: 360, height: 740 })
  await page.screenshot({ path: '/tmp/shot-phone.png', fullPage: true })
  await own.host.run(`ip route del ${peer.subnet}.0/24`)
  await page
    .getByRole('log')
    .getByText(/put right/)
    .waitFor()
  t.deepEqual(complaints, [])
})
