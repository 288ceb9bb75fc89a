// IPsec policies as `ip xfrm` shows them: written by us and printed by it, and the other way round.
import { showObject } from '../../src/kernel/show.ts'
import { IPSEC_REQID, type Policy, keyOf } from '../../src/kernel/state.ts'
import { inNamespace } from './namespace.ts'
import { apply, ip, prefix, present } from './objects.ts'

const test = inNamespace()

const out: Policy = {
  kind: 'policy',
  direction: 'out',
  source: prefix('10.2.1.0/24'),
  destination: prefix('10.2.2.0/24'),
  from: ip('192.168.19.121'),
  to: ip('192.168.19.122'),
  reqid: IPSEC_REQID,
  optional: false,
}
const { from, to, source, destination } = out
const back = { ...out, source: destination, destination: source, from: to, to: from }
const policies: readonly Policy[] = [out, { ...back, direction: 'in' }, { ...back, direction: 'fwd', optional: true }]
const six: Policy = {
  ...out,
  source: prefix('fd00:10:42:1::/64'),
  destination: prefix('fd00:10:42:2::/64'),
  from: ip('fd00::1'),
  to: ip('fd00::2'),
}

test('what we write, ip xfrm prints; it reads back equal; deleted it is gone, and deleting it again is success', async (t) => {
  const { kernel, space } = t.context
  t.deepEqual(await apply(kernel, 'add', [...policies, six]), [])
  const shown = (await space.run('ip xfrm policy')).replaceAll(/\s+/g, ' ')
  t.true(
    shown.includes(
      'src 10.2.1.0/24 dst 10.2.2.0/24 dir out priority 0 ptype main tmpl src 192.168.19.121 dst 192.168.19.122 proto esp reqid 11 mode tunnel',
    ),
    shown,
  )
  t.true(
    shown.includes(
      'dir fwd priority 0 ptype main tmpl src 192.168.19.122 dst 192.168.19.121 proto esp reqid 11 mode tunnel level use',
    ),
  )
  for (const policy of [...policies, six]) t.deepEqual(await present(kernel, policy), policy)
  t.deepEqual(await apply(kernel, 'delete', [...policies, six]), [])
  t.deepEqual(await apply(kernel, 'delete', [...policies, six]), [])
  t.is(await space.run('ip xfrm policy'), '')
})

test('what ip xfrm writes in our words, we read as ours', async (t) => {
  const { kernel, space } = t.context
  for (const policy of [...policies, six]) {
    await space.run(`ip xfrm policy add ${showObject(policy)}`)
    t.deepEqual(await present(kernel, policy), policy)
  }
})

test('a changed policy is put right in place; one there already is not overwritten', async (t) => {
  const { kernel } = t.context
  const elsewhere = { ...out, to: ip('192.168.19.123') }
  t.deepEqual(await apply(kernel, 'add', [elsewhere]), [])
  t.is((await apply(kernel, 'add', [out])).length, 1)
  t.deepEqual(await apply(kernel, 'replace', [out]), [])
  t.deepEqual(await present(kernel, out), out)
})

test('policies that do something else are never taken for ours', async (t) => {
  const { kernel, space } = t.context
  const pair = (n: number): string => `src 10.3.${n}.0/24 dst 10.4.0.0/16 dir out`
  const tunnel = 'tmpl src 192.168.19.121 dst 192.168.19.122 proto esp reqid 11 mode'
  await space.run(`ip xfrm policy add ${pair(1)} action block ${tunnel} tunnel
    ip xfrm policy add ${pair(2)} ${tunnel} transport
    ip xfrm policy add ${pair(3)}
    ip xfrm policy add ${pair(5)} proto tcp ${tunnel} tunnel
    ip xfrm policy add ${pair(6)} mark 7 ${tunnel} tunnel
    ip xfrm policy add ${pair(7)} if_id 7 ${tunnel} tunnel`)
  const found = await kernel.observe('policy', [])
  const keys = [1, 2, 3].map((n) =>
    keyOf({ ...out, source: prefix(`10.3.${n}.0/24`), destination: prefix('10.4.0.0/16') }),
  )
  t.deepEqual([...found.keys()].toSorted(), keys)
  for (const policy of found.values()) t.like(policy, { from: '0.0.0.0', to: '0.0.0.0' })
})
